#include "planning/match.h"

#include <cmath>
#include <optional>

#include "base/enum_names.h"
#include "base/error.h"

namespace memlayers::planning {
namespace {

using base::check;

constexpr int64_t kLargestMultiple = int64_t{1} << 20;

bool is_dense(const model::ModelConfig& config) {
  return config.memory.layers.empty() && config.experts.layers.empty() && config.ngrams.layers.empty();
}

bool has_feed_forward(const model::ModelConfig& config) { return count_model(config, 1).feed_forward > 0; }

int64_t llama_width(int64_t hidden) { return 256 * ((8 * hidden / 3 + 255) / 256); }

int64_t size_of(const model::ModelConfig& config, FreeSize size) {
  switch (size) {
    case FreeSize::kExperts:
      return config.experts.num_experts;
    case FreeSize::kSubKeys:
      return config.memory.num_sub_keys;
    case FreeSize::kNgramRows:
      return config.ngrams.rows;
    case FreeSize::kExpertWidth:
      return config.experts.intermediate_size;
    case FreeSize::kFeedForwardWidth:
      return config.intermediate_size;
    case FreeSize::kHiddenSize:
      return config.hidden_size;
    case FreeSize::kBlocks:
      break;
  }
  return config.num_hidden_layers;
}

model::ModelConfig with_hidden_size(model::ModelConfig config, int64_t hidden) {
  const int64_t before = config.hidden_size, group = config.num_attention_heads / config.num_key_value_heads;
  const bool by_rule = config.intermediate_size == llama_width(before);
  const double scale = static_cast<double>(hidden) / static_cast<double>(before);
  config.hidden_size = hidden;
  config.intermediate_size =
      by_rule ? llama_width(hidden)
              : std::max(int64_t{1}, int64_t{std::llround(double(config.intermediate_size) * scale)});
  config.num_key_value_heads = std::max(int64_t{1}, int64_t{std::llround(double(config.num_key_value_heads) * scale)});
  config.num_attention_heads = group * config.num_key_value_heads;
  return config;
}

model::ModelConfig with_size(model::ModelConfig config, FreeSize size, int64_t value) {
  switch (size) {
    case FreeSize::kExperts:
      config.experts.num_experts = value;
      break;
    case FreeSize::kSubKeys:
      config.memory.num_sub_keys = value;
      break;
    case FreeSize::kNgramRows:
      config.ngrams.rows = value;
      break;
    case FreeSize::kExpertWidth:
      config.experts.intermediate_size = value;
      break;
    case FreeSize::kFeedForwardWidth:
      config.intermediate_size = value;
      break;
    case FreeSize::kHiddenSize:
      return with_hidden_size(std::move(config), value);
    case FreeSize::kBlocks:
      config.num_hidden_layers = value;
      break;
  }
  return config;
}

// Below it no model is valid, whatever the rest.
int64_t lowest(const model::ModelConfig& config, FreeSize size) {
  if (size == FreeSize::kExperts) return config.experts.top_k;
  if (size != FreeSize::kSubKeys) return 1;
  int64_t sub_keys = 1;
  while (sub_keys * sub_keys < config.memory.top_k) ++sub_keys;
  return sub_keys;
}

void check_size(const model::ModelConfig& config, const MatchRule& rule) {
  const std::string key(base::enum_name(rule.size));
  const auto need = [&](bool there, const char* what) {
    check(there, key, " cannot be matched: the model has ", what, "; choose another size");
  };
  const bool of_experts = rule.size == FreeSize::kExperts || rule.size == FreeSize::kExpertWidth;
  if (of_experts) need(!config.experts.layers.empty(), "no experts (experts.layers is empty)");
  if (rule.size == FreeSize::kSubKeys) need(!config.memory.layers.empty(), "no memory layers (memory.layers is empty)");
  if (rule.size == FreeSize::kNgramRows)
    need(!config.ngrams.layers.empty(), "no n-gram layers (ngrams.layers is empty)");
  if (rule.size == FreeSize::kFeedForwardWidth) need(has_feed_forward(config), "no dense feed-forward");
  const bool of_dense = rule.size == FreeSize::kHiddenSize || rule.size == FreeSize::kBlocks;
  if (of_dense) need(is_dense(config), "layers of other kinds, whose sizes would have to follow");
  const bool idle = rule.size == FreeSize::kExperts || rule.size == FreeSize::kNgramRows;
  check(rule.matched == Matched::kParameters || !idle, key,
        " cannot match FLOPs, which it does not touch; vary a width, ",
        "as experts.intermediate_size or intermediate_size");
  check(rule.factor > 0 && std::isfinite(rule.factor), "a match needs a factor above 0, got ", rule.factor);
  check(rule.multiple_of >= 0 && rule.multiple_of <= kLargestMultiple, "a match needs a multiple between 1 and ",
        kLargestMultiple, ", got ", rule.multiple_of);
}

double measured(const ModelCount& count, Matched matched) {
  return matched == Matched::kFlops ? count.flops_training : static_cast<double>(count.total);
}

// The measure of a multiple; nothing where no such model can be.
class Sizes {
 public:
  Sizes(const model::ModelConfig& config, const MatchRule& rule, int64_t step)
      : config_(config), rule_(rule), step_(step) {}

  std::optional<double> operator()(int64_t multiple) const {
    try {
      return measured(count_model(with_size(config_, rule_.size, multiple * step_), rule_.seq_len), rule_.matched);
    } catch (const base::UsageError&) {
      return std::nullopt;
    }
  }

 private:
  const model::ModelConfig& config_;
  const MatchRule& rule_;
  int64_t step_;
};

// The first multiple from `first` on that is beyond the target. Measures grow with every size; nothing
// where the largest model comes first.
std::optional<int64_t> first_beyond(const Sizes& sizes, int64_t first, double target) {
  int64_t below = first - 1, above = first;
  // A size beyond the largest model counts as beyond the target, too: the search must come back from there.
  const auto is_beyond = [&](int64_t multiple) { return sizes(multiple).value_or(HUGE_VAL) > target; };
  while (!is_beyond(above)) below = above, above *= 2;
  while (above - below > 1) {
    const int64_t middle = below + (above - below) / 2;
    (is_beyond(middle) ? above : below) = middle;
  }
  if (!sizes(above)) return std::nullopt;
  return above;
}

}  // namespace

FreeSize usual_size(const model::ModelConfig& config, Matched matched) {
  const bool experts = !config.experts.layers.empty(), memory = !config.memory.layers.empty();
  const bool ngrams = !config.ngrams.layers.empty();
  if (is_dense(config)) return FreeSize::kHiddenSize;
  check(int{experts} + int{memory} + int{ngrams} == 1,
        "the model has several kinds of layers whose size could be matched; say which one with its key");
  if (matched == Matched::kFlops) return experts ? FreeSize::kExpertWidth : FreeSize::kFeedForwardWidth;
  return experts ? FreeSize::kExperts : memory ? FreeSize::kSubKeys : FreeSize::kNgramRows;
}

int64_t default_multiple(const model::ModelConfig& config, FreeSize size) {
  if (size == FreeSize::kExperts) return 2;
  if (size != FreeSize::kHiddenSize) return 1;
  // As many columns as one key/value head and its query heads go with.
  return std::max<int64_t>(1, config.hidden_size / config.num_key_value_heads);
}

Match match_model(const model::ModelConfig& given_config, const model::ModelConfig& reference, const MatchRule& rule) {
  model::ModelConfig config = given_config;
  config.validate();
  check_size(config, rule);
  const int64_t step = rule.multiple_of > 0 ? rule.multiple_of : default_multiple(config, rule.size);
  Match match;
  match.reference = count_model(reference, rule.seq_len);
  match.target = rule.factor * measured(match.reference, rule.matched);

  const Sizes sizes(config, rule, step);
  const int64_t first = (lowest(config, rule.size) + step - 1) / step;
  const auto beyond = first_beyond(sizes, first, match.target);
  check(beyond.has_value(), base::enum_name(rule.size), ": no valid size comes up to ", match.target,
        rule.matched == Matched::kFlops ? " FLOPs a token" : " parameters");
  int64_t multiple = *beyond;
  const bool fewest = rule.size == FreeSize::kExperts && rule.matched == Matched::kParameters;
  if (!fewest && multiple > first) {
    const auto below = sizes(multiple - 1), above = sizes(multiple);
    if (below && match.target - *below <= *above - match.target) --multiple;
  }
  match.given = size_of(config, rule.size);
  match.value = multiple * step;
  match.config = with_size(config, rule.size, match.value);
  match.config.validate();
  match.count = count_model(match.config, rule.seq_len);
  return match;
}

std::string match_in_words(const model::ModelConfig& config, const MatchRule& rule) {
  const int64_t step = rule.multiple_of > 0 ? rule.multiple_of : default_multiple(config, rule.size);
  const std::string multiple = step > 1 ? base::concat(", a multiple of ", step, ",") : "";
  const std::string times = rule.factor == 1 ? "" : base::concat(rule.factor, " times ");
  if (rule.size == FreeSize::kExperts) {
    return base::concat("fewest experts", multiple, " whose total of parameters exceeds ", times, "the reference's");
  }
  return base::concat(base::enum_name(rule.size), multiple, " whose ",
                      rule.matched == Matched::kFlops ? "training FLOPs a token come" : "total of parameters comes",
                      " nearest to ", times, "the reference's");
}

}  // namespace memlayers::planning
