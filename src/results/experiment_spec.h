// What an experiment's file says of its report: charts, the paper's own numbers, and the criteria written before it ran.
#pragma once

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

struct FigureSpec {
  std::string title, caption, metric = "nats";
  std::vector<std::string> groups;
  std::vector<double> x;
  std::string x_label;
  bool logarithmic = false;
  std::vector<SeriesSpec> series;
  static constexpr auto fields() {
    using base::field;
    using C = FigureSpec;
    return std::tuple{field("title", &C::title, "heading of the chart"),
                      field("caption", &C::caption, "what to see in it; the paper's figure beside it"),
                      field("metric", &C::metric, "what is drawn (docs/experiments.md lists the metrics)"),
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
        field("at", &C::at, "end of training, or equal tokens, flops or seconds (metric recall): the most all reach"),
        field("order", &C::order, "variants from worst to best, each to beat the one before; or a single one"),
        field("at_least", &C::at_least, "several variants: smallest gain of each (0); one: smallest value"),
        field("at_most", &C::at_most, "one variant: largest value")};
  }
};

}  // namespace memlayers::results
