#include "report/comparison/comparison_text.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/comparison/report_summary.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using Rows = std::vector<std::vector<std::string>>;

/// Names must not move the cursor or color the terminal.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return text;
}

std::string padding(const std::string& cell, size_t width) {
  const size_t own = results::display_width(cell);
  return std::string(width > own ? width - own : 0, ' ');
}

std::string models(const std::vector<VariantSummary>& variants) {
  const bool spread =
      std::any_of(variants.begin(), variants.end(), [](const auto& variant) { return variant.runs > 1; });
  Rows rows{
      {"model", "parameters", "in table", "FLOPs/token", "tokens/s", "recall seen", "recall unseen", "F1", "nats"}};
  if (spread) rows.front().insert(rows.front().begin() + 1, "seeds");
  for (const VariantSummary& variant : variants) {
    const auto number = [](const results::Statistic& value, int decimals) {
      return value.count == 0 ? "-" : results::decimal_text(value.mean, decimals);
    };
    std::vector<std::string> row{
        printable(variant.label),
        results::metric_text(static_cast<double>(variant.parameters)),
        results::metric_text(static_cast<double>(variant.table_parameters)),
        results::metric_text(variant.flops_per_token),
        variant.tokens_per_second.count == 0 ? "-" : results::count_text(std::llround(variant.tokens_per_second.mean)),
        recall_text(variant.seen),
        recall_text(variant.unseen),
        number(variant.f1, 3),
        number(variant.nats, 2)};
    if (spread) row.insert(row.begin() + 1, std::to_string(variant.runs));
    rows.push_back(std::move(row));
  }
  return aligned_rows(rows, "", true);
}

std::string verdicts(const results::Comparison& comparison, const std::vector<VariantSummary>& variants) {
  Rows rows;
  for (const auto& [axis, name] : {std::pair{results::Axis::kTokens, "equal tokens"},
                                   {results::Axis::kFlops, "equal FLOPs"},
                                   {results::Axis::kSeconds, "equal seconds"}}) {
    const results::Verdict verdict = results::verdict_at_equal(comparison, axis);
    std::vector<std::string> row{name};
    if (verdict.rows.empty()) {
      row.push_back("not asked during training");
      rows.push_back(std::move(row));
      continue;
    }
    row.push_back(budget_text(verdict));
    for (const results::Verdict::Row& one : verdict.rows)
      row.push_back(printable(results::variant_label(one.variant)) + " " + recall_text(one));
    const std::optional<Contest> decided = contest(variants, verdict);
    if (decided)
      row.push_back(
          printable(lead_text(*decided)) +
          (decided->several_seeds() && decided->overlapping() && !decided->level() ? " (seeds overlap)" : ""));
    rows.push_back(std::move(row));
  }
  return aligned_rows(rows, "  ", false);
}

}  // namespace

std::string aligned_rows(const Rows& rows, const std::string& indent, bool numbers) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], results::display_width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line = indent;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad = padding(row[i], widths[i]);
      line += (i == 0 ? "" : "  ") + (numbers && i > 0 ? pad + row[i] : row[i] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string terminal_table(const results::Comparison& given) {
  const results::Comparison comparison = completed(given);
  const std::vector<VariantSummary> variants = summarize(comparison);
  const Headline told = headline(comparison);
  std::string out = printable(comparison.title);
  if (!out.empty()) out += "\n\n";
  if (!comparison.runs.empty()) {
    out += models(variants);
    out +=
        "Recall: share of answers exactly right, in wordings seen in training and in unseen ones. F1 and nats (lower "
        "is "
        "better): unseen.\n\n";
    out += "Recall in wordings never read, at\n" + verdicts(comparison, variants) + "\n";
  }
  out += printable(told.answer) + "\n";
  for (const std::string& note : told.notes) out += "  " + printable(note) + "\n";
  return out;
}

}  // namespace memlayers::report
