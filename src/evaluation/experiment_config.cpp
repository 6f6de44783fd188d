#include "evaluation/experiment_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace memlayers::evaluation {
namespace {

void check_variant(const ExperimentConfig& config, const std::string& name, const std::string& where) {
  const bool known = std::any_of(config.variants.begin(), config.variants.end(),
                                 [&](const VariantConfig& variant) { return variant.name == name; });
  base::check(known, where, ": there is no variant '", name, "'");
}

void check_criterion(const ExperimentConfig& config, const CriterionSpec& criterion) {
  const std::string where = base::concat("criteria: '", criterion.name, "'");
  base::check(!criterion.name.empty(), "criteria: one has no name");
  base::check(!criterion.order.empty(), where, ": order: expected at least one variant");
  for (const std::string& variant : criterion.order) check_variant(config, variant, where);
  const bool one = criterion.order.size() == 1;
  base::check(!one || criterion.at_least || criterion.at_most, where,
              ": a single variant needs at_least or at_most, or it claims nothing");
  base::check(one || !criterion.at_most, where, ": at_most is for a single variant");
  const std::string& at = criterion.at;
  base::check(at == "end" || at == "tokens" || at == "flops" || at == "seconds", where,
              ": at: expected end, tokens, flops or seconds, got '", at, "'");
  base::check(at == "end" || criterion.metric == "recall", where, ": at ", at,
              ": only recall is measured on the way, got the metric '", criterion.metric, "'");
}

void check_figure(const ExperimentConfig& config, const FigureSpec& figure) {
  const std::string where = base::concat("figures: '", figure.title, "'");
  base::check(figure.groups.empty() != figure.x.empty(), where, ": expected groups (bars) or x (lines)");
  base::check(std::is_sorted(figure.x.begin(), figure.x.end()), where, ": x must rise");
  base::check(!figure.logarithmic || figure.x.empty() || figure.x[0] > 0, where,
              ": a logarithmic axis needs x above zero");
  base::check(!figure.series.empty(), where, ": series: expected at least one");
  const size_t expected = std::max(figure.groups.size(), figure.x.size());
  for (const SeriesSpec& series : figure.series) {
    const size_t count = series.variants.size();
    base::check(count == expected || (count == 1 && !figure.x.empty()), where, ": series '", series.name,
                "': expected ", expected, " variants, got ", count);
    for (const std::string& variant : series.variants) {
      if (!variant.empty()) check_variant(config, variant, where);
    }
  }
}

const ScaleConfig* find_scale(const ExperimentConfig& config) {
  const auto found = std::find_if(config.scales.begin(), config.scales.end(),
                                  [&](const ScaleConfig& scale) { return scale.name == config.scale; });
  return found == config.scales.end() ? nullptr : &*found;
}

}  // namespace

void ExperimentConfig::validate() {
  CompareConfig::validate();
  if (!scale.empty() && find_scale(*this) == nullptr) {
    std::string names;
    for (const ScaleConfig& known : scales) names += (names.empty() ? "" : ", ") + known.name;
    throw base::UsageError(
        base::concat("scale: there is no '", scale, "'; the file has ", names.empty() ? "no scales" : names));
  }
  base::check(!criteria.empty(), "criteria: expected at least one, written before the run");
  for (const CriterionSpec& criterion : criteria) check_criterion(*this, criterion);
  for (const FigureSpec& figure : figures) check_figure(*this, figure);
  for (const HeldOutLoss& loss : losses) {
    base::check(loss.name.find("loss") != std::string::npos, "losses: the name '", loss.name,
                "' must contain the word loss");
    base::check(loss.batches > 0, "losses: ", loss.name, ": batches: expected 1 or more, got ", loss.batches);
  }
}

ExperimentPlan load_experiment_plan(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  auto config = base::load_config<ExperimentConfig>(path, overrides);
  std::vector<std::string> all;
  if (const ScaleConfig* scale = find_scale(config)) {
    all = scale->set;
    all.insert(all.end(), overrides.begin(), overrides.end());
    config = base::load_config<ExperimentConfig>(path, all);
  } else {
    all = overrides;
  }
  const CompareConfig& compared = config;
  ExperimentPlan plan{path.stem().string(), config, {compared, variant_runs(path, all, config)}};
  check_same_data(path, plan.compare);
  return plan;
}

}  // namespace memlayers::evaluation
