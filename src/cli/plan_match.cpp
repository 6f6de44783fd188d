#include "cli/plan_match.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/enum_names.h"
#include "base/error.h"
#include "base/joined.h"
#include "report/page/text_table.h"
#include "results/number_text.h"

namespace memlayers::cli {
namespace {

using nlohmann::ordered_json;

planning::FreeSize size_named(std::string key) {
  if (key.starts_with("model.")) key = key.substr(6);
  if (const std::optional<planning::FreeSize> size = base::enum_named<planning::FreeSize>(key)) return *size;
  throw base::UsageError("--vary " + key + ": expected one of " +
                         base::joined(base::enum_choices<planning::FreeSize>(), ", "));
}

planning::MatchRule rule_of(const MatchOptions& options, const model::ModelConfig& config, int64_t seq_len) {
  planning::MatchRule rule;
  rule.matched = options.flops > 0 ? planning::Matched::kFlops : planning::Matched::kParameters;
  rule.factor = options.flops > 0 ? options.flops : 1;
  rule.size = options.vary.empty() ? planning::usual_size(config, rule.matched) : size_named(options.vary);
  rule.multiple_of = options.multiple_of;
  rule.seq_len = seq_len;
  return rule;
}

/// What the other side of a comparison must know: key=value as the command line takes it. A wider model's heads and
/// feed-forward come with it.
std::vector<std::string> overrides_of(const planning::Match& match, const planning::MatchRule& rule, bool is_run) {
  const std::string prefix = is_run ? "model." : "";
  std::vector<std::string> overrides = {base::concat(prefix, base::enum_name(rule.size), "=", match.value)};
  if (rule.size != planning::FreeSize::kHiddenSize) return overrides;
  const model::ModelConfig& config = match.config;
  for (const auto& [key, value] : {std::pair{"intermediate_size", config.intermediate_size},
                                   {"num_attention_heads", config.num_attention_heads},
                                   {"num_key_value_heads", config.num_key_value_heads},
                                   {"head_dim", config.head_dim}}) {
    overrides.push_back(base::concat(prefix, key, "=", value));
  }
  return overrides;
}

ordered_json to_json(const planning::ModelCount& count) {
  return {{"parameters", count.total},
          {"active_parameters", count.active},
          {"flops_per_token", {{"training", count.flops_training}, {"forward", count.flops_forward}}}};
}

std::vector<std::string> row(const std::string& name, double model, double reference) {
  return {name, millions(model), millions(reference), results::decimal_text(model / reference, 3)};
}

}  // namespace

std::string millions(double value) { return results::decimal_text(value / 1e6, 1) + " M"; }

void add_match_options(CLI::App& app, MatchOptions& options) {
  CLI::Option* match =
      app.add_option(
             "--match", options.reference,
             "find one size of CONFIG so that it has as many parameters as this configuration, and compare them")
          ->type_name("REFERENCE");
  app.add_option("--flops", options.flops, "match training FLOPs a token instead: so many times the reference's")
      ->needs(match)
      ->check(CLI::PositiveNumber);
  app.add_option("--vary", options.vary,
                 "the size to be found: experts.num_experts, memory.num_sub_keys, ngrams.rows, "
                 "experts.intermediate_size, intermediate_size, hidden_size or num_hidden_layers; default: by the "
                 "kind of model")
      ->needs(match)
      ->type_name("KEY");
  app.add_option("--multiple-of", options.multiple_of,
                 "the size found is a multiple of this; default: 2 for experts, whole attention heads for hidden_size")
      ->needs(match)
      ->check(CLI::PositiveNumber);
}

void print_match(const MatchOptions& options, const MatchedFile& file, const MatchedFile& reference, int64_t seq_len,
                 bool json) {
  const planning::MatchRule rule = rule_of(options, file.config, seq_len);
  const planning::Match match = planning::match_model(file.config, reference.config, rule);
  const std::string words = planning::match_in_words(file.config, rule);
  const std::vector<std::string> overrides = overrides_of(match, rule, file.is_run);
  if (json) {
    ordered_json out = {{"matched", words},
                        {"overrides", overrides},
                        {"value", match.value},
                        {"given", match.given},
                        {"seq_len", seq_len},
                        {"model", to_json(match.count)},
                        {"reference", to_json(match.reference)}};
    out["ratio"] = {{"parameters", double(match.count.total) / double(match.reference.total)},
                    {"flops_per_token", match.count.flops_training / match.reference.flops_training}};
    std::cout << out.dump(2) << std::endl;
    return;
  }
  std::cout << "matched: " << words << "\n  " << file.file;
  for (const std::string& each : overrides) std::cout << " " << each;
  std::cout << "\n  reference: " << reference.file << "\n";
  const std::string flops = base::concat("FLOPs per token, sequences of ", seq_len);
  std::cout << report::aligned_rows(
      {{"", "model", "reference", "ratio"},
       row("parameters", double(match.count.total), double(match.reference.total)),
       row("active for one token", double(match.count.active), double(match.reference.active)),
       row(flops + ", forward", match.count.flops_forward, match.reference.flops_forward),
       row(flops + ", training", match.count.flops_training, match.reference.flops_training)},
      "  ");
  std::cout << std::flush;
}

}  // namespace memlayers::cli
