#include "report/experiment/figures.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

/// The variants whose numbers stand in group `g`.
std::vector<std::string> group_variants(const results::FigureSpec& figure, size_t g) {
  std::vector<std::string> variants;
  for (const results::SeriesSpec& series : figure.series) {
    if (g < series.variants.size()) variants.push_back(series.variants[g]);
  }
  return variants;
}

results::FigureSpec filled_in(results::FigureSpec figure, const results::Comparison& comparison) {
  std::vector<std::string> all;
  for (size_t g = 0; g < figure.groups.size(); ++g) {
    const std::vector<std::string> variants = group_variants(figure, g);
    figure.groups[g] = filled(figure.groups[g], comparison, variants);
    all.insert(all.end(), variants.begin(), variants.end());
  }
  figure.title = filled(figure.title, comparison, all);
  figure.caption = filled(figure.caption, comparison, all);
  return figure;
}

std::vector<Figure> drawn(const results::FigureSpec& figure, const std::string& id,
                          const results::Comparison& comparison) {
  using enum results::FigureKind;
  const std::vector<Variant> variants = summarize(comparison);
  switch (figure.kind) {
    case kVariants:
      return {variants_figure(figure, id, comparison)};
    case kCurve:
      return {curve_figure(figure, comparison, variants)};
    case kWordings:
      return {wordings_figure(comparison, variants)};
    case kRelations:
      return relation_figures(comparison, variants, figure.metric);
    case kAnswers:
      return answer_figures(comparison, variants, figure.metric);
    case kSlots:
      return slot_figures(comparison, variants);
    case kSteps:
      return step_figures(comparison, variants);
  }
  return {};
}

}  // namespace

std::string filled(std::string text, const results::Comparison& comparison, const std::vector<std::string>& variants) {
  constexpr std::string_view kTokens = "{tokens}";
  if (text.find(kTokens) == std::string::npos) return text;
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const results::RunResult& run : comparison.runs) {
    const bool meant = variants.empty() || std::find(variants.begin(), variants.end(), run.variant) != variants.end();
    if (!meant || run.curve.empty()) continue;
    low = std::min(low, static_cast<double>(run.curve.back().tokens));
    high = std::max(high, static_cast<double>(run.curve.back().tokens));
  }
  std::string tokens = high > 0 ? results::metric_text(high) : "some";
  if (high > 0 && results::metric_text(low) != tokens) tokens = results::metric_text(low) + " to " + tokens;
  for (size_t at = 0; (at = text.find(kTokens, at)) != std::string::npos; at += tokens.size())
    text.replace(at, kTokens.size(), tokens);
  return text;
}

std::vector<Figure> figures_of(const results::FigureSpec& given, const std::string& id,
                               const results::Comparison& comparison) {
  const results::FigureSpec figure = filled_in(given, comparison);
  std::vector<Figure> figures = drawn(figure, id, comparison);
  std::erase_if(figures, [](const Figure& one) { return one.svg.empty(); });
  if (!figures.empty()) figures[0].caption = figure.caption + figures[0].caption;
  return figures;
}

std::vector<Figure> experiment_figures(const results::Experiment& experiment, results::FigureKind kind) {
  results::Comparison comparison = completed(experiment.comparison);
  // Figures over variants look them up by name; all others draw every run that there is.
  if (kind == results::FigureKind::kVariants)
    comparison.runs.insert(comparison.runs.end(), experiment.beside.begin(), experiment.beside.end());
  std::vector<Figure> figures;
  for (size_t i = 0; i < experiment.figures.size(); ++i) {
    if (experiment.figures[i].kind != kind) continue;
    const std::string id = base::concat("chart-", i + 1, "-", experiment.figures[i].metric);
    for (Figure& figure : figures_of(experiment.figures[i], id, comparison)) figures.push_back(std::move(figure));
  }
  return figures;
}

}  // namespace memlayers::report
