// The charts of the report, each with the table behind it.
#pragma once

#include <string>
#include <vector>

#include "report/comparison/report_summary.h"
#include "report/page/html_markup.h"
#include "results/comparison.h"

namespace memlayers::report {

struct Figure {
  std::string id, title, caption;
  std::string svg;
  std::vector<Table> tables;
};

/// Recall over tokens, seconds and FLOPs, and loss over tokens; only those there are points for.
std::vector<Figure> learning_figures(const results::Comparison& comparison,
                                     const std::vector<VariantSummary>& variants);
/// Recall in wordings read and never read, then by relation.
std::vector<Figure> recall_figures(const results::Comparison& comparison, const std::vector<VariantSummary>& variants);
/// One for each variant with a memory.
std::vector<Figure> usage_figures(const results::Comparison& comparison, const std::vector<VariantSummary>& variants);
/// Where the time of a training step goes: one, with a bar for each variant that was timed; none where none was.
std::vector<Figure> step_figures(const results::Comparison& comparison, const std::vector<VariantSummary>& variants);

}  // namespace memlayers::report
