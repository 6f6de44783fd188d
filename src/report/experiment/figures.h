// The charts of an experiment, each with the table behind it.
#pragma once

#include <string>
#include <vector>

#include "report/experiment/contest.h"
#include "report/page/page.h"
#include "results/experiment.h"

namespace memlayers::report {

/// What `figure` draws, with what it says of the runs filled in; none where nothing of it was measured.
std::vector<Figure> figures_of(const results::FigureSpec& figure, const std::string& id,
                               const results::Comparison& comparison);
/// All of the experiment's figures of that kind, in their order.
std::vector<Figure> experiment_figures(const results::Experiment& experiment, results::FigureKind kind);

/// `text` with {tokens} replaced by what the runs of `variants` (empty: of all) read: "3.07 M", "1.54 M to 3.07 M".
std::string filled(std::string text, const results::Comparison& comparison, const std::vector<std::string>& variants);

/// The parts of figures_of: without the caption and title, where the spec has its own.
Figure variants_figure(const results::FigureSpec& figure, const std::string& id, const results::Comparison& comparison);
Figure curve_figure(const results::FigureSpec& figure, const results::Comparison& comparison,
                    const std::vector<Variant>& variants);
/// Recall in wordings read and never read.
Figure wordings_figure(const results::Comparison& comparison, const std::vector<Variant>& variants);
/// Recall or nats (metric recall, recall_seen, nats or nats_seen) by kind of fact, in one chart or two halves.
std::vector<Figure> relation_figures(const results::Comparison& comparison, const std::vector<Variant>& variants,
                                     const std::string& metric);
/// The same by the answer's length in tokens; of nats also how they spread over the questions.
std::vector<Figure> answer_figures(const results::Comparison& comparison, const std::vector<Variant>& variants,
                                   const std::string& metric);
/// One for each variant with a memory.
std::vector<Figure> slot_figures(const results::Comparison& comparison, const std::vector<Variant>& variants);
/// Where the time of a training step goes: one, with a bar for each variant that was timed; none where none was.
std::vector<Figure> step_figures(const results::Comparison& comparison, const std::vector<Variant>& variants);

}  // namespace memlayers::report
