#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"
#include "report/charts/svg_chart.h"
#include "report/experiment/figures.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

/// One layer over the seeds of its variant.
struct LayerUsage {
  std::string name;  // "layer 3", "n-gram layer 3"
  int64_t slots = 0;
  results::Statistic used_share, kl_to_uniform, top_percent_share;
  std::vector<results::Statistic>
      cumulative;  // [parts + 1]: share of reads on the most read 0/parts, 1/parts, ... of the slots
};

/// Empty where the shares are missing or no shares.
std::vector<double> cumulative_shares(const std::vector<double>& shares) {
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (shares.empty() || !std::isfinite(total) || total <= 0) return {};
  std::vector<double> cumulative{0};
  for (const double share : shares) cumulative.push_back(cumulative.back() + share / total);
  return cumulative;
}

LayerUsage usage_over_seeds(const std::string& name, const std::vector<const results::SlotUsage*>& seeds) {
  const auto over = [&](double results::SlotUsage::*number) {
    std::vector<double> values;
    for (const results::SlotUsage* usage : seeds) values.push_back(usage->*number);
    return results::statistic(values);
  };
  LayerUsage result{name,
                    seeds.front()->slots,
                    over(&results::SlotUsage::used_share),
                    over(&results::SlotUsage::kl_to_uniform),
                    over(&results::SlotUsage::top_percent_share),
                    {}};
  std::vector<std::vector<double>> curves;
  for (const results::SlotUsage* usage : seeds) {
    curves.push_back(cumulative_shares(usage->read_share));
    if (curves.back().size() != curves.front().size()) curves.pop_back();
  }
  for (size_t i = 0; i < curves.front().size(); ++i) {
    std::vector<double> values;
    for (const auto& curve : curves) values.push_back(curve[i]);
    result.cumulative.push_back(results::statistic(values));
  }
  return result;
}

std::vector<LayerUsage> layers_of(const results::Comparison& comparison, const std::string& variant) {
  std::map<std::pair<std::string, int64_t>, std::vector<const results::SlotUsage*>> seeds;  // by kind and layer
  for (const results::RunResult& run : comparison.runs) {
    if (run.variant != variant) continue;
    for (const results::SlotUsage& usage : run.slot_usage) seeds[{usage.table, usage.layer}].push_back(&usage);
  }
  std::vector<LayerUsage> layers;
  for (const auto& [reader, usages] : seeds) {
    const char* kind = reader.first == "ngrams" ? "n-gram layer " : "layer ";
    layers.push_back(usage_over_seeds(base::concat(kind, reader.second), usages));
  }
  std::erase_if(layers, [](const LayerUsage& layer) { return layer.cumulative.empty(); });
  return layers;
}

LineSeries series_of(const LayerUsage& usage, int index) {
  // Colors of the variants mean variants; layers take the other end of the palette.
  LineSeries series{usage.name, 3 + index, index % 4, false, {}, {}};
  const double parts = static_cast<double>(usage.cumulative.size() - 1);
  for (size_t i = 0; i < usage.cumulative.size(); ++i) {
    const results::Statistic& share = usage.cumulative[i];
    series.points.push_back({static_cast<double>(i) / parts, share.mean, share.lowest, share.highest, {}});
  }
  return series;
}

Table summary_table(const std::vector<LayerUsage>& layers) {
  Table table{"Use of the table by each memory layer",
              {"layer", "slots", "slots read at least once", "reads on the most read 1%", "KL to even use (nats)"},
              {}};
  for (const LayerUsage& layer : layers) {
    table.rows.push_back({layer.name, results::count_text(layer.slots), results::percent_text(layer.used_share.mean),
                          results::percent_text(layer.top_percent_share.mean),
                          results::decimal_text(layer.kl_to_uniform.mean, 2)});
  }
  return table;
}

Table curve_table(const std::vector<LayerUsage>& layers) {
  Table table{"Share of all reads that the most read slots receive", {"most read slots"}, {}};
  for (const LayerUsage& layer : layers) table.head.push_back(layer.name);
  for (const int percent : {1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100}) {
    std::vector<std::string> row{base::concat(percent, "%")};
    for (const LayerUsage& layer : layers) {
      const size_t parts = layer.cumulative.size() - 1;
      row.push_back(results::percent_text(layer.cumulative[parts * static_cast<size_t>(percent) / 100].mean));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Figure usage_figure(const Variant& variant, const std::vector<LayerUsage>& layers) {
  Figure figure{"slots-" + std::to_string(variant.color), "Slot usage of " + variant.label, {}, {}, {}};
  LineChart chart{figure.id, figure.title, {}, {}, {}, {}};
  const auto percent = [](double v) { return results::percent_text(v, 0); };
  chart.x = {"share of the slots, most read first", false, 0.0, 1.0, percent};
  chart.y = {"share of all reads", false, 0.0, 1.0, percent};
  std::string sentences;
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerUsage& layer = layers[i];
    chart.series.push_back(series_of(layer, static_cast<int>(i)));
    std::string subject = layer.name;
    subject.front() = subject.front() == 'l' ? 'L' : 'N';
    sentences += base::concat(" ", subject, " read ", results::percent_text(layer.used_share.mean, 0), " of the ",
                              results::count_text(layer.slots), " slots; the most read 1% of them got ",
                              results::percent_text(layer.top_percent_share.mean, 0), " of its reads.");
  }
  chart.series.push_back({"even use", kMutedColor, 2, false, {{0, 0, 0, 0, {}}, {1, 1, 1, 1, {}}}, {}});
  figure.caption =
      "How evenly the memory was used while questions were answered: the nearer a curve is to the straight line, "
      "the more evenly its layer spread its reads." +
      sentences + " Layers are counted from 0.";
  chart.description = "Curves of the cumulative share of reads, one a memory layer." + sentences;
  figure.svg = line_chart_svg(chart);
  figure.tables = {summary_table(layers), curve_table(layers)};
  return figure;
}

}  // namespace

std::vector<Figure> slot_figures(const results::Comparison& comparison, const std::vector<Variant>& variants) {
  std::vector<Figure> figures;
  for (const Variant& variant : variants) {
    const std::vector<LayerUsage> layers = layers_of(comparison, variant.name);
    if (!layers.empty()) figures.push_back(usage_figure(variant, layers));
  }
  return figures;
}

}  // namespace memlayers::report
