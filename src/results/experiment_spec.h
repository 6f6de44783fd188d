// What an experiment's file says of its report: charts, the paper's own numbers, and the criteria written before it
// ran.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"

namespace memlayers::results {

struct SeriesSpec {
  std::string name;
  std::vector<std::string> variants;
  static constexpr auto fields() {
    using base::field;
    return std::tuple{field("name", &SeriesSpec::name, "name in the legend"),
                      field("variants", &SeriesSpec::variants,
                            "one a group or a value of x; an empty name leaves a gap; a single one where x has more: a "
                            "reference line")};
  }
};

/// What a figure draws: a metric over variants; on the way, over what was spent; of questions by their wording, by the
/// kind of fact, or by the length of the answer with the spread over the questions; how reads spread over the tables'
/// slots; where the time of a training step goes.
enum class FigureKind { kVariants, kCurve, kWordings, kRelations, kAnswers, kSlots, kSteps };
constexpr auto enum_names(FigureKind) {
  using enum FigureKind;
  return std::array{std::pair{kVariants, "variants"}, std::pair{kCurve, "curve"},
                    std::pair{kWordings, "wordings"}, std::pair{kRelations, "relations"},
                    std::pair{kAnswers, "answers"},   std::pair{kSlots, "slots"},
                    std::pair{kSteps, "steps"}};
}

struct FigureSpec {
  FigureKind kind = FigureKind::kVariants;
  std::string title, caption, metric = "nats", over = "tokens";
  std::vector<std::string> groups;
  std::vector<double> x;
  std::string x_label;
  bool logarithmic = false;
  std::vector<SeriesSpec> series;
  static constexpr auto fields() {
    using base::field;
    using C = FigureSpec;
    return std::tuple{
        field("kind", &C::kind,
              "variants, curve, wordings, relations, answers, slots or steps; figures of runs need no series"),
        field("title", &C::title, "heading; {tokens} here and below is what the runs read: \"3.07 M\""),
        field("caption", &C::caption, "what to see in it; the paper's figure beside it"),
        field("metric", &C::metric, "what is drawn (docs/experiments.md lists the metrics)"),
        field("over", &C::over,
              "curve: tokens, flops or seconds; its metric is recall, recall_seen, nats, nats_seen or loss; that of "
              "relations and answers is one of the first four"),
        field("groups", &C::groups, "bars: names of the groups"),
        field("x", &C::x, "lines: values on the horizontal axis, rising; empty: bars"),
        field("x_label", &C::x_label, "lines: name of the horizontal axis"),
        field("logarithmic", &C::logarithmic, "lines: logarithmic horizontal axis"),
        field("series", &C::series, "what is drawn together: names and variants")};
  }
};

/// Numbers printed in a paper, shown beside ours.
struct PublishedTable {
  std::string caption;
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
  static constexpr auto fields() {
    using base::field;
    using C = PublishedTable;
    return std::tuple{field("caption", &C::caption, "number and subject of the paper's table"),
                      field("head", &C::head, "names of the columns"), field("rows", &C::rows, "cells, as printed")};
  }
};

struct CriterionSpec {
  std::string name, metric = "nats", at = "end";
  std::vector<std::string> order;
  std::optional<double> at_least, at_most;
  static constexpr auto fields() {
    using base::field;
    using C = CriterionSpec;
    return std::tuple{
        field("name", &C::name, "what is claimed, in words"),
        field("metric", &C::metric, "what decides (docs/experiments.md lists the metrics)"),
        field("at", &C::at,
              "end of training, or equal tokens, flops or seconds (recall, nats, *_seen): the most all reach"),
        field("order", &C::order, "variants from worst to best, each to beat the one before; or a single one"),
        field("at_least", &C::at_least, "several variants: smallest gain of each (0); one: smallest value"),
        field("at_most", &C::at_most, "one variant: largest value")};
  }
};

}  // namespace memlayers::results
