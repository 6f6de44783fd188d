#include "report/experiment/terminal_text.h"

#include <cmath>

#include "base/error.h"
#include "report/experiment/contest.h"
#include "report/page/text_table.h"
#include "results/metric.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string models(const results::Comparison& comparison, const std::vector<Variant>& variants) {
  Rows rows{
      {"model", "parameters", "in table", "FLOPs/token", "tokens/s", "recall seen", "recall unseen", "F1", "nats"}};
  const bool spread = has_spread(variants);
  if (spread) rows.front().insert(rows.front().begin() + 1, "seeds");
  for (const Variant& variant : variants) {
    std::vector<std::string> row{printable(variant.label)};
    if (spread) row.push_back(std::to_string(variant.runs));
    const auto add = [&](const char* metric, auto&& text) {
      const results::Statistic value = results::metric_statistic(comparison, variant.name, metric);
      row.push_back(value.count == 0 ? "-" : text(value));
    };
    for (const char* metric : {"parameters", "table_parameters", "flops_per_token"})
      add(metric, [](const results::Statistic& value) { return results::metric_text(value.mean); });
    add("tokens_per_second",
        [](const results::Statistic& value) { return results::count_text(std::llround(value.mean)); });
    for (const char* metric : {"recall_seen", "recall"})
      add(metric, [&](const results::Statistic& value) { return seeds_text(metric, value); });
    add("f1", [](const results::Statistic& value) { return results::decimal_text(value.mean, 3); });
    add("nats", [](const results::Statistic& value) { return results::decimal_text(value.mean, 2); });
    rows.push_back(std::move(row));
  }
  return aligned_rows(rows, "");
}

std::string verdicts(const results::Comparison& comparison, const std::vector<Variant>& variants,
                     const std::string& metric) {
  Rows rows;
  for (const auto& [axis, name] : {std::pair{results::Axis::kTokens, "equal tokens"},
                                   {results::Axis::kFlops, "equal FLOPs"},
                                   {results::Axis::kSeconds, "equal seconds"}}) {
    const results::Verdict verdict = results::verdict_at_equal(comparison, axis, metric);
    std::vector<std::string> row{name};
    if (verdict.rows.empty()) {
      row.push_back("not asked during training");
      rows.push_back(std::move(row));
      continue;
    }
    row.push_back(budget_text(verdict));
    for (const results::Verdict::Row& one : verdict.rows)
      row.push_back(printable(results::variant_label(one.variant)) + " " + seeds_text(metric, one));
    const std::optional<Contest> decided = contest(variants, verdict);
    if (decided)
      row.push_back(
          printable(lead_text(*decided)) +
          (decided->several_seeds() && decided->overlapping() && !decided->level() ? " (seeds overlap)" : ""));
    rows.push_back(std::move(row));
  }
  return aligned_rows(rows, "  ", kAllLeft);
}

}  // namespace

std::string terminal_table(const results::Comparison& given) {
  const results::Comparison comparison = completed(given);
  const std::vector<Variant> variants = summarize(comparison);
  const std::string metric = deciding_metric(comparison), on_the_way = metric_on_the_way(comparison, metric);
  const Headline told = headline(comparison, metric);
  std::string out = printable(comparison.title);
  if (!out.empty()) out += "\n\n";
  if (!comparison.runs.empty()) {
    out += models(comparison, variants);
    out +=
        "Recall: share of answers exactly right, in wordings seen in training and in unseen ones. F1 and nats (lower "
        "is "
        "better): unseen.\n\n";
    out += base::concat(results::is_share(on_the_way) ? "Recall" : "Nats per answer", " in wordings ",
                        on_the_way.ends_with("_seen") ? "read" : "never read", ", at\n",
                        verdicts(comparison, variants, on_the_way), "\n");
  }
  out += printable(told.answer) + "\n";
  for (const std::string& note : told.notes) out += "  " + printable(note) + "\n";
  return out;
}

}  // namespace memlayers::report
