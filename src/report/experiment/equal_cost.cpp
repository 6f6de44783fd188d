#include "report/experiment/sections.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/charts/svg_chart.h"
#include "report/page/html_markup.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using base::concat;
using html::element;
using html::paragraph;

/// `whole`: the value whose bar is as long as the card is wide.
std::string verdict_row(const Variant& variant, const std::string& metric, const results::Verdict::Row& row,
                        double whole) {
  const double width = std::clamp(std::isfinite(row.mean) ? 100 * row.mean / whole : 0.0, 0.0, 100.0);
  return concat("<div class=\"row\"><div class=\"line-of-text\"><span class=\"name\">",
                results::escape_markup(variant.label), "</span><span class=\"number\">",
                results::escape_markup(seeds_text(metric, row)),
                "</span></div><div class=\"track\"><span style=\"width:", results::decimal_text(width, 1),
                "%;background:var(--series-", variant.color % kChartColors, ")\"></span></div></div>\n");
}

std::string short_name(const std::string& metric) { return results::is_share(metric) ? "Recall" : "Nats per answer"; }

/// At equal FLOPs or seconds the variants have read different amounts of text: says how much.
std::string progress_text(const results::Comparison& comparison, const std::vector<Variant>& variants,
                          const results::Verdict& verdict) {
  if (verdict.axis == results::Axis::kTokens) return {};
  std::string text;
  for (const Variant& variant : variants) {
    const std::optional<double> tokens = tokens_at(comparison, variant.name, verdict.axis, verdict.budget);
    if (tokens)
      text += concat(text.empty() ? "Text read by then: " : ", ", variant.label, " ", results::spoken_count(*tokens));
  }
  return text.empty() ? text : text + " tokens.";
}

std::string verdict_card(const results::Comparison& comparison, const std::vector<Variant>& variants,
                         const std::string& metric, results::Axis axis, std::string_view title,
                         std::string_view meaning) {
  const results::Verdict verdict = results::verdict_at_equal(comparison, axis, metric);
  std::string content = element("h3", "", results::escape_markup(title));
  if (verdict.rows.empty()) {
    return element("div", "class=\"card\"", content + paragraph("budget", "The runs were not asked during training."));
  }
  const std::optional<Contest> decided = contest(variants, verdict);
  content += paragraph("lead-text", decided ? lead_text(*decided) : "Only one model was asked");
  content += paragraph("budget", concat(short_name(metric), " ", budget_text(verdict), ", ", meaning, "."));
  double whole = results::is_share(metric) ? 1 : 1e-9;
  for (const results::Verdict::Row& row : verdict.rows) whole = std::max(whole, row.mean);
  for (const results::Verdict::Row& row : verdict.rows) {
    const auto variant =
        std::find_if(variants.begin(), variants.end(), [&](const auto& v) { return v.name == row.variant; });
    content += verdict_row(*variant, metric, row, whole);
  }
  if (decided) content += paragraph("small", confidence_text(*decided));
  const std::string progress = progress_text(comparison, variants, verdict);
  if (!progress.empty()) content += paragraph("small", progress);
  return element("div", "class=\"card\"", content);
}

}  // namespace

std::string answer_section(const results::Comparison& comparison, const std::string& metric) {
  const Headline told = headline(comparison, metric);
  std::string notes;
  for (const std::string& note : told.notes) notes += element("li", "", results::escape_markup(html::glued(note)));
  return element("section", "class=\"answer\" aria-label=\"The answer\"",
                 paragraph("headline", told.answer) + (notes.empty() ? "" : element("ul", "", notes)));
}

std::string equal_cost_section(const results::Comparison& comparison, const std::vector<Variant>& variants,
                               const std::string& wanted) {
  const std::string metric = metric_on_the_way(comparison, wanted);
  const bool share = results::is_share(metric);
  const std::string text =
      concat(share ? "Recall, the share of questions answered exactly" : "Nats per answer, of which fewer are better",
             metric.ends_with("_seen") ? ", in wordings read," : ", in wordings never read,",
             " where the models had used up the same text, the same computation, or the same time.");
  const auto card = [&](results::Axis axis, std::string_view title, std::string_view meaning) {
    return verdict_card(comparison, variants, metric, axis, title, meaning);
  };
  const std::string cards = card(results::Axis::kTokens, "Text (equal tokens)", "the most that every run read") +
                            card(results::Axis::kFlops, "Computation (equal FLOPs)", "the most that every run spent") +
                            card(results::Axis::kSeconds, "Time (equal seconds)", "the longest that every run trained");
  const std::string note =
      concat("Numbers are means over seeds ± one sample standard deviation", share ? ", in percentage points." : ".");
  return html::section("Who knows more at equal cost", paragraph("", text) + element("div", "class=\"cards\"", cards) +
                                                           (has_spread(variants) ? paragraph("lead", note) : ""));
}

}  // namespace memlayers::report
