#include "report/experiment/sections.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/charts/svg_chart.h"
#include "report/page/html_markup.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using base::concat;
using html::element;
using html::paragraph;

std::string verdict_row(const Variant& variant, const results::Verdict::Row& row) {
  const double width = std::clamp(std::isfinite(row.mean) ? 100 * row.mean : 0.0, 0.0, 100.0);
  return concat("<div class=\"row\"><div class=\"line-of-text\"><span class=\"name\">",
                results::escape_markup(variant.label), "</span><span class=\"number\">",
                results::escape_markup(recall_text(row)),
                "</span></div><div class=\"track\"><span style=\"width:", results::decimal_text(width, 1),
                "%;background:var(--series-", variant.color % kChartColors, ")\"></span></div></div>\n");
}

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
                         results::Axis axis, std::string_view title, std::string_view meaning) {
  const results::Verdict verdict = results::verdict_at_equal(comparison, axis);
  std::string content = element("h3", "", results::escape_markup(title));
  if (verdict.rows.empty()) {
    return element("div", "class=\"card\"", content + paragraph("budget", "The runs were not asked during training."));
  }
  const std::optional<Contest> decided = contest(variants, verdict);
  content += paragraph("lead-text", decided ? lead_text(*decided) : "Only one model was asked");
  content += paragraph("budget", concat("Recall ", budget_text(verdict), ", ", meaning, "."));
  for (const results::Verdict::Row& row : verdict.rows) {
    const auto variant =
        std::find_if(variants.begin(), variants.end(), [&](const auto& v) { return v.name == row.variant; });
    content += verdict_row(*variant, row);
  }
  if (decided) content += paragraph("small", confidence_text(*decided));
  const std::string progress = progress_text(comparison, variants, verdict);
  if (!progress.empty()) content += paragraph("small", progress);
  return element("div", "class=\"card\"", content);
}

}  // namespace

std::string answer_section(const results::Comparison& comparison) {
  const Headline told = headline(comparison);
  std::string notes;
  for (const std::string& note : told.notes) notes += element("li", "", results::escape_markup(html::glued(note)));
  return element("section", "class=\"answer\" aria-label=\"The answer\"",
                 paragraph("headline", told.answer) + (notes.empty() ? "" : element("ul", "", notes)));
}

std::string equal_cost_section(const results::Comparison& comparison, const std::vector<Variant>& variants) {
  std::string text =
      "Recall, the share of questions answered exactly, in wordings never read, where the models had used up the same "
      "text, the same computation, or the same time.";
  const std::string cards = verdict_card(comparison, variants, results::Axis::kTokens, "Text (equal tokens)",
                                         "the most that every run read") +
                            verdict_card(comparison, variants, results::Axis::kFlops, "Computation (equal FLOPs)",
                                         "the most that every run spent") +
                            verdict_card(comparison, variants, results::Axis::kSeconds, "Time (equal seconds)",
                                         "the longest that every run trained");
  const std::string note =
      has_spread(variants)
          ? paragraph("lead", "Numbers are means over seeds ± one sample standard deviation, in percentage points.")
          : "";
  return html::section("Who knows more at equal cost",
                       paragraph("", text) + element("div", "class=\"cards\"", cards) + note);
}

}  // namespace memlayers::report
