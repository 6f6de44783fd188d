#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "report/charts/svg_chart.h"
#include "report/experiment/figures.h"
#include "report/experiment/sections.h"
#include "report/page/html_markup.h"
#include "results/number_text.h"
#include "results/step_shares.h"

namespace memlayers::report {
namespace {

using base::concat;

constexpr size_t kPartsDrawn = 7;  // with a color each; the rest is drawn as one
constexpr const char* kDash = "–";

struct Timed {
  std::string label;
  const results::StepProfile* step;
};

/// In the order of the variants; profiles of others are passed over.
std::vector<Timed> timed_variants(const results::Comparison& comparison, const std::vector<Variant>& variants) {
  std::vector<Timed> timed;
  for (const Variant& variant : variants) {
    for (const results::VariantStep& each : comparison.step_times) {
      if (each.variant != variant.name || !(each.step.seconds > 0)) continue;
      timed.push_back({variant.label, &each.step});
      break;
    }
  }
  return timed;
}

std::string milliseconds_text(double seconds) { return results::decimal_text(1e3 * seconds, seconds < 0.01 ? 2 : 1); }

/// Time, share, limit, and how much of the time the limit is.
std::vector<std::string> cells(const std::string& name, double seconds, std::optional<double> limit, double whole) {
  return {name, milliseconds_text(seconds), results::percent_text(seconds / whole),
          limit ? milliseconds_text(*limit) : kDash,
          limit && seconds > 0 ? results::percent_text(*limit / seconds, 0) : kDash};
}

Table group_table(const Timed& timed, const std::vector<std::string>& order) {
  const results::StepProfile& step = *timed.step;
  Table table{concat("A training step of ", timed.label, ": ", milliseconds_text(step.seconds), " ms on ", step.threads,
                     step.threads == 1 ? " thread" : " threads"),
              {"operations", "ms", "share", "limit, ms", "limit / time"},
              {}};
  for (const results::GroupTime& group : results::group_times(step, order)) {
    if (group.seconds > 0) table.rows.push_back(cells(group.group, group.seconds, group.limit_seconds, step.seconds));
  }
  table.rows.push_back(cells("the whole step", step.seconds, std::nullopt, step.seconds));
  return table;
}

Table op_table(const Timed& timed) {
  Table table{concat("Every operation of a step of ", timed.label),
              {"operation", "ms", "share", "limit, ms", "limit / time", "counted as"},
              {}};
  for (const results::OpProfile& op : timed.step->ops) {
    table.rows.push_back(cells(op.name, op.seconds, op.limit_seconds, timed.step->seconds));
    table.rows.back().push_back(op.group);
  }
  return table;
}

StackedBar bar_of(const Timed& timed, const std::vector<std::string>& order, size_t drawn) {
  StackedBar bar{timed.label, {}, {}, milliseconds_text(timed.step->seconds) + " ms"};
  double rest = 0;
  const std::vector<results::GroupTime> groups = results::group_times(*timed.step, order);
  const auto add = [&](const std::string& name, double seconds) {
    bar.parts.push_back(1e3 * seconds);
    bar.notes.push_back(concat(timed.label, ", ", name, ": ", milliseconds_text(seconds), " ms, ",
                               results::percent_text(seconds / timed.step->seconds)));
  };
  for (size_t i = 0; i < groups.size(); ++i) {
    if (i < drawn) {
      add(groups[i].group, groups[i].seconds);
    } else {
      rest += groups[i].seconds;
    }
  }
  if (drawn < groups.size()) add("the rest", rest);
  return bar;
}

std::string rate_text(double bytes_per_second) { return results::metric_text(bytes_per_second) + "B/s"; }

/// The rates of one machine state in a sentence.
std::string rates_text(const Timed& timed) {
  const results::LimitRates& rates = timed.step->rates;
  std::vector<std::string> parts;
  if (rates.memory_read > 0) parts.push_back("reads at " + rate_text(rates.memory_read));
  if (rates.memory_copy > 0) parts.push_back("copies at " + rate_text(rates.memory_copy));
  if (rates.gather > 0) parts.push_back("gathers rows at " + rate_text(rates.gather));
  if (rates.product > 0) parts.push_back("multiplies at " + results::metric_text(rates.product) + "FLOP/s");
  if (rates.narrow_product > 0) parts.push_back(results::metric_text(rates.narrow_product) + "FLOP/s in bfloat16");
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : ", ") + parts[i];
  return text.empty() ? text : concat("Measured beside ", timed.label, ": memory ", text, ".");
}

bool beats_a_limit(const std::vector<Timed>& all, const std::vector<std::string>& order) {
  for (const Timed& timed : all) {
    for (const results::GroupTime& group : results::group_times(*timed.step, order)) {
      if (group.limit_seconds.value_or(0) > group.seconds) return true;
    }
  }
  return false;
}

std::string machines_text(const results::Comparison& comparison, const std::vector<Timed>& all) {
  std::set<std::string> others;
  for (const Timed& timed : all) {
    if (timed.step->machine != comparison.machine) others.insert(timed.step->machine);
  }
  std::string text;
  for (const std::string& machine : others) text += (text.empty() ? "" : "; ") + machine;
  return text.empty() ? text
                      : concat("These steps were taken on another machine than the one named below: ", text, ".");
}

}  // namespace

std::vector<Figure> step_figures(const results::Comparison& comparison, const std::vector<Variant>& variants) {
  const std::vector<Timed> all = timed_variants(comparison, variants);
  if (all.empty()) return {};
  const std::vector<std::string> order = results::group_order(comparison.step_times);
  const size_t drawn = order.size() <= kPartsDrawn + 1 ? order.size() : kPartsDrawn;
  Figure figure{"step-times", "One training step, by what it does", {}, {}, {}};
  StackedChart chart{figure.id, figure.title, {}, {"milliseconds", false, 0.0, {}, {}}, {}, {}};
  for (size_t i = 0; i < drawn; ++i) chart.parts.push_back({order[i], i < kPartsDrawn ? int(i) : kMutedColor});
  if (drawn < order.size()) chart.parts.push_back({"the rest", kMutedColor});
  std::string times;
  for (const Timed& timed : all) {
    chart.bars.push_back(bar_of(timed, order, drawn));
    figure.tables.push_back(op_table(timed));
    times += (times.empty() ? "" : ", ") + concat(milliseconds_text(timed.step->seconds), " ms with ", timed.label);
  }
  figure.caption = concat(
      "After training, each model took ", all[0].step->steps,
      " more steps on its own data; this is the fastest, which other work on the machine disturbed least: ", times,
      ". Bookkeeping is time between operations and in the engine that orders them.");
  chart.description = "Stacked bars, one a model: milliseconds of a step's operations, " + times + ".";
  figure.svg = stacked_chart_svg(chart);
  return {figure};
}

std::string step_tables(const results::Comparison& comparison, const std::vector<Variant>& variants) {
  const std::vector<Timed> all = timed_variants(comparison, variants);
  if (all.empty()) return {};
  const std::vector<std::string> order = results::group_order(comparison.step_times);
  std::string tables;
  for (const Timed& timed : all) {
    tables += html::element(
        "div", "class=\"wide\"",
        html::table(group_table(timed, order), "scroll whole") + html::paragraph("lead", rates_text(timed)));
  }
  const std::string how =
      "A limit is the least time that an operation could take here: the longest of moving the bytes it must at the "
      "speed "
      "of plain reads and copies of as many, gathering its table rows as a loop that does nothing else with them, and "
      "multiplying at the rate of a large matrix product, all measured on this machine beside the steps. A dash "
      "stands where no such number can be given honestly.";
  const std::string busy = beats_a_limit(all, order)
                               ? " More than 100% says that other work slowed the machine while limits were measured."
                               : "";
  const std::string elsewhere = machines_text(comparison, all);
  return html::paragraph("", how + busy) + (elsewhere.empty() ? "" : html::paragraph("", elsewhere)) +
         html::element("div", "class=\"figures\"", tables);
}

}  // namespace memlayers::report
