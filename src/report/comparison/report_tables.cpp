#include "report/comparison/report_sections.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/page/html_markup.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using html::element;

std::string spread_text(const results::Statistic& value, std::string (*text)(double)) {
  if (value.count == 0) return "not asked";
  return text(value.mean) + (value.count > 1 ? " ± " + text(value.deviation) : "");
}

Table models_table(const std::vector<VariantSummary>& variants) {
  Table table{"Models, after all of their training",
              {"model", "seeds", "parameters", "in the memory table", "training FLOPs per token", "tokens per second",
               "recall, wordings read", "recall, wordings never read", "F1, never read", "nats, never read"},
              {}};
  const auto decimal = [](double v) { return results::decimal_text(v, 2); };
  for (const VariantSummary& variant : variants) {
    table.rows.push_back(
        {variant.label, std::to_string(variant.runs), results::metric_text(static_cast<double>(variant.parameters)),
         results::metric_text(static_cast<double>(variant.table_parameters)),
         results::metric_text(variant.flops_per_token),
         variant.tokens_per_second.count == 0 ? "n/a"
                                              : results::count_text(std::llround(variant.tokens_per_second.mean)),
         recall_text(variant.seen), recall_text(variant.unseen), spread_text(variant.f1, decimal),
         spread_text(variant.nats, decimal)});
  }
  return table;
}

Table runs_table(const results::Comparison& comparison) {
  Table table{"Every run",
              {"model", "seed", "tokens read", "training time", "tokens per second", "recall, wordings read",
               "recall, wordings never read", "F1, never read", "nats, never read"},
              {}};
  for (const std::string& variant : comparison.variants) {
    for (const results::RunResult& run : comparison.runs) {
      if (run.variant != variant) continue;
      const auto asked = [](const results::RelationScore& score, std::string text) {
        return score.questions > 0 ? text : "not asked";
      };
      table.rows.push_back(
          {results::variant_label(variant), std::to_string(run.seed),
           run.curve.empty() ? "n/a" : results::count_text(run.curve.back().tokens),
           run.curve.empty() ? "n/a" : results::seconds_text(run.curve.back().seconds),
           results::count_text(std::llround(std::isfinite(run.tokens_per_second) ? run.tokens_per_second : 0)),
           asked(run.seen, results::percent_text(run.seen.exact_match)),
           asked(run.unseen, results::percent_text(run.unseen.exact_match)),
           asked(run.unseen, results::decimal_text(run.unseen.f1, 3)),
           asked(run.unseen, results::decimal_text(run.unseen.nats, 3))});
    }
  }
  return table;
}

}  // namespace

std::string models_section(const results::Comparison& comparison, const std::vector<VariantSummary>& variants) {
  return html::section("The models",
                       element("div", "class=\"wide\"",
                               html::table(models_table(variants)) +
                                   html::details("Every run by itself", html::table(runs_table(comparison)))));
}

}  // namespace memlayers::report
