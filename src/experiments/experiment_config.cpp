#include "experiments/experiment_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "experiments/experiment_measures.h"
#include "report/charts/svg_chart.h"
#include "results/metric.h"

namespace memlayers::experiments {
namespace {

void check_variant(const ExperimentConfig& config, const std::string& name, const std::string& where) {
  const bool known = std::any_of(config.variants.begin(), config.variants.end(),
                                 [&](const VariantConfig& variant) { return variant.name == name; });
  base::check(known, where, ": there is no variant '", name, "'");
}

void check_metric(const ExperimentConfig& config, const std::string& metric, const std::string& where) {
  const std::vector<std::string> names = measure_names(config);
  base::check(results::is_general_metric(metric) || std::find(names.begin(), names.end(), metric) != names.end(), where,
              ": there is no metric '", metric,
              "'; docs/experiments.md lists them, and losses and capacity add theirs");
}

void check_measured(const ExperimentConfig& config) {
  std::set<std::string> names;
  for (const HeldOutLoss& loss : config.losses) {
    base::check(loss.name.find("loss") != std::string::npos, "losses: the name '", loss.name,
                "' must contain the word loss");
    base::check(!results::is_general_metric(loss.name) && names.insert(loss.name).second, "losses: the name '",
                loss.name, "' is taken");
    base::check(loss.batches > 0, "losses: ", loss.name, ": batches: expected 1 or more, got ", loss.batches);
  }
  const CapacityConfig& capacity = config.capacity;
  base::check(capacity.limit >= 0, "capacity.limit: expected 0 (all) or more, got ", capacity.limit);
  const std::set<results::StoredFormat> formats(capacity.formats.begin(), capacity.formats.end());
  base::check(!capacity.formats.empty() && capacity.formats[0] == results::StoredFormat::kFloat32 &&
                  formats.size() == capacity.formats.size(),
              "capacity.formats: expected float32 and then others, each once");
}

void check_criterion(const ExperimentConfig& config, const results::CriterionSpec& criterion) {
  const std::string where = base::concat("criteria: '", criterion.name, "'");
  base::check(!criterion.name.empty(), "criteria: one has no name");
  base::check(!criterion.order.empty(), where, ": order: expected at least one variant");
  for (const std::string& variant : criterion.order) check_variant(config, variant, where);
  check_metric(config, criterion.metric, where);
  const bool one = criterion.order.size() == 1;
  base::check(!one || criterion.at_least || criterion.at_most, where,
              ": a single variant needs at_least or at_most, or it claims nothing");
  base::check(one || !criterion.at_most, where, ": at_most is for a single variant");
  const std::string& at = criterion.at;
  base::check(at == "end" || at == "tokens" || at == "flops" || at == "seconds", where,
              ": at: expected end, tokens, flops or seconds, got '", at, "'");
  base::check(at == "end" || results::is_curve_metric(criterion.metric), where, ": at ", at,
              ": only recall, recall_seen, nats and nats_seen are measured on the way, got the metric '",
              criterion.metric, "'");
  base::check(
      at == "end" || config.ask_limit == 0, where, ": at ", at,
      ": the end of one run is compared with the way of another, so all questions must be asked on the way too; "
      "set ask_limit: 0");
}

/// `{tokens}` is all that is filled in.
void check_label(const std::string& text, const std::string& where) {
  for (size_t at = 0; (at = text.find('{', at)) != std::string::npos; ++at) {
    base::check(text.compare(at, 8, "{tokens}") == 0, where, ": '", text, "': only {tokens} is filled in");
  }
}

bool one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void check_curve(const results::FigureSpec& figure, const std::string& where) {
  base::check(one_of(figure.over, {"tokens", "flops", "seconds"}), where,
              ": over: expected tokens, flops or seconds, got '", figure.over, "'");
  base::check(one_of(figure.metric, {"recall", "recall_seen", "nats", "nats_seen", "loss"}), where,
              ": only recall, recall_seen, nats, nats_seen and loss are measured on the way, got the metric '",
              figure.metric, "'");
}

/// Charts of all runs: nothing is chosen in them but a curve's axes, and what is told of questions.
void check_figure_of_runs(const results::FigureSpec& figure, const std::string& where) {
  const bool curve = figure.kind == results::FigureKind::kCurve;
  base::check(figure.groups.empty() && figure.x.empty() && figure.series.empty(), where,
              ": groups, x and series are for figures of the kind variants");
  base::check(curve || figure.title.empty(), where, ": title: it has one of its own");
  if (curve) check_curve(figure, where);
  const bool questions = figure.kind == results::FigureKind::kRelations || figure.kind == results::FigureKind::kAnswers;
  base::check(!questions || one_of(figure.metric, {"recall", "recall_seen", "nats", "nats_seen"}), where,
              ": metric: expected recall, recall_seen, nats or nats_seen, got '", figure.metric, "'");
}

/// FOLDER/VARIANT of an experiment that is named in `beside`; whether it has such a variant shows when it has run.
bool is_beside(const ExperimentConfig& config, const std::string& variant) {
  return std::any_of(config.beside.begin(), config.beside.end(),
                     [&](const std::string& folder) { return variant.starts_with(beside_name(folder) + "/"); });
}

void check_figure(const ExperimentConfig& config, const results::FigureSpec& figure) {
  const std::string where = base::concat("figures: '", figure.title, "'");
  for (const std::string& text : {figure.title, figure.caption}) check_label(text, where);
  for (const std::string& group : figure.groups) check_label(group, where);
  if (figure.kind != results::FigureKind::kVariants) return check_figure_of_runs(figure, where);
  base::check(figure.groups.empty() != figure.x.empty(), where, ": expected groups (bars) or x (lines)");
  base::check(std::is_sorted(figure.x.begin(), figure.x.end()), where, ": x must rise");
  base::check(!figure.logarithmic || figure.x.empty() || figure.x[0] > 0, where,
              ": a logarithmic axis needs x above zero");
  check_metric(config, figure.metric, where);
  base::check(!figure.series.empty() && figure.series.size() <= report::kChartColors, where, ": series: expected 1 to ",
              report::kChartColors);
  const size_t expected = std::max(figure.groups.size(), figure.x.size());
  for (const results::SeriesSpec& series : figure.series) {
    const size_t count = series.variants.size();
    base::check(count == expected || (count == 1 && !figure.x.empty()), where, ": series '", series.name,
                "': expected ", expected, " variants, got ", count);
    for (const std::string& variant : series.variants) {
      if (!variant.empty() && !is_beside(config, variant)) check_variant(config, variant, where);
    }
  }
}

const ScaleConfig* find_scale(const ExperimentConfig& config) {
  const auto found = std::find_if(config.scales.begin(), config.scales.end(),
                                  [&](const ScaleConfig& scale) { return scale.name == config.scale; });
  return found == config.scales.end() ? nullptr : &*found;
}

}  // namespace

std::string beside_name(const std::filesystem::path& folder) {
  const std::filesystem::path path = (folder / "").lexically_normal().parent_path();
  return path.filename().string();
}

void ExperimentConfig::validate() {
  CompareConfig::validate();
  if (!scale.empty() && find_scale(*this) == nullptr) {
    std::string names;
    for (const ScaleConfig& known : scales) names += (names.empty() ? "" : ", ") + known.name;
    throw base::UsageError(
        base::concat("scale: there is no '", scale, "'; the file has ", names.empty() ? "no scales" : names));
  }
  base::check(!criteria.empty(), "criteria: expected at least one, written before the run");
  for (const results::CriterionSpec& criterion : criteria) check_criterion(*this, criterion);
  for (const results::FigureSpec& figure : figures) check_figure(*this, figure);
  for (const std::string& metric : metrics) check_metric(*this, metric, "metrics");
  check_measured(*this);
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

}  // namespace memlayers::experiments
