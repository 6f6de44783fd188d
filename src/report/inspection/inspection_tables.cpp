#include "report/inspection/inspection_tables.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using base::concat;

std::string share_text(int64_t count, int64_t of) {
  return of == 0 ? "n/a" : results::percent_text(static_cast<double>(count) / static_cast<double>(of));
}

std::string movement_text(double relative) {
  if (std::isinf(relative)) return "from zero";
  return relative != 0 && relative < 0.001 ? "< 0.001" : results::decimal_text(relative, 3);
}

std::vector<std::string> use_row(const std::string& name, const results::HeadUse& use) {
  return {name,
          results::count_text(use.reads),
          share_text(use.spread.slots - use.dead, use.spread.slots),
          results::count_text(use.dead),
          results::count_text(use.hot),
          results::percent_text(use.spread.top_percent_share),
          results::decimal_text(use.spread.kl_to_uniform, 2)};
}

std::string layers_text(const std::vector<int64_t>& layers) {
  std::string text;
  for (const int64_t layer : layers) text += (text.empty() ? "" : ", ") + std::to_string(layer);
  return text;
}

/// One line, whatever a document holds.
std::string on_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t' || c == '\r'; }, ' ');
  return text;
}

}  // namespace

Table use_table(const results::Inspection& inspection) {
  Table table{"Reads of each layer and head",
              {"layer and head", "reads", "slots read", "dead", "hot", "reads on top 1%", "KL to even (nats)"},
              {}};
  for (const results::HeadUse& layer : inspection.layers) {
    table.rows.push_back(use_row(concat("layer ", layer.layer), layer));
    for (const results::HeadUse& head : inspection.heads) {
      if (head.layer == layer.layer)
        table.rows.push_back(use_row(concat("layer ", head.layer, " head ", head.head), head));
    }
  }
  return table;
}

Table tables_table(const results::Inspection& inspection) {
  Table table{"Slots of each table", {"table", "slots", "layers", "read by none", "by one layer", "by several"}, {}};
  const bool trained =
      std::ranges::any_of(inspection.tables, [](const results::TableUse& t) { return bool(t.never_trained); });
  if (trained) table.head.push_back("never read in training");
  for (const results::TableUse& use : inspection.tables) {
    const int64_t none = use.read_by[0], one = use.read_by.size() > 1 ? use.read_by[1] : 0;
    std::vector<std::string> row{table_label(use.name),    results::count_text(use.slots),
                                 layers_text(use.layers),  results::count_text(none),
                                 results::count_text(one), results::count_text(use.slots - none - one)};
    if (trained) row.push_back(use.never_trained ? results::count_text(*use.never_trained) : "n/a");
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table pairs_table(const results::Inspection& inspection) {
  Table table{"Slots that two layers both read", {"layers", "both read", "share of the table", "by chance"}, {}};
  for (const results::LayerPair& pair : inspection.pairs) {
    table.rows.push_back({concat(pair.first, " and ", pair.second), results::count_text(pair.both),
                          share_text(pair.both, inspection.tables[pair.table].slots),
                          results::count_text(std::llround(pair.by_chance))});
  }
  return table;
}

Table most_read_table(const results::Inspection& inspection, const results::TableUse& use) {
  Table table{"Most read slots of " + table_label(use.name), {"slot", "reads", "share"}, {}};
  int64_t reads = 0;
  for (const results::HeadUse& layer : inspection.layers) {
    const bool reader = std::ranges::find(use.layers, layer.layer) != use.layers.end();
    reads += reader ? layer.reads : 0;
  }
  if (use.layers.size() > 1) {
    for (const int64_t layer : use.layers) table.head.push_back(concat("layer ", layer));
  }
  for (const results::ReadSlot& slot : use.most_read) {
    std::vector<std::string> row{
        std::to_string(slot.slot), results::count_text(slot.reads),
        results::percent_text(static_cast<double>(slot.reads) / static_cast<double>(reads), 2)};
    for (const int64_t by : slot.by_layer) {
      if (use.layers.size() > 1) row.push_back(results::count_text(by));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table drift_table(const results::Inspection& inspection) {
  Table table{"How far rows moved", {"table", "rows", "unmoved", "median", "largest", "whole table", "from zero"}, {}};
  for (const results::TableDrift& drift : inspection.drift) {
    table.rows.push_back({table_label(drift.name), results::count_text(drift.slots), results::count_text(drift.unmoved),
                          movement_text(drift.median), movement_text(drift.largest), movement_text(drift.whole),
                          results::count_text(drift.from_zero)});
  }
  return table;
}

Table histogram_table(const results::TableDrift& drift) {
  Table table{"Rows by relative movement, " + table_label(drift.name), {"moved by", "rows", "share"}, {}};
  const auto add = [&](const std::string& name, int64_t rows) {
    table.rows.push_back({name, results::count_text(rows), share_text(rows, drift.slots)});
  };
  add("nothing", drift.unmoved);
  for (size_t bin = 0; bin < drift.histogram.size(); ++bin) {
    if (drift.histogram[bin] > 0) add(bin_text(bin), drift.histogram[bin]);
  }
  if (drift.from_zero > 0) add("from zero", drift.from_zero);
  return table;
}

Table moved_table(const results::TableDrift& drift) {
  Table table{"Rows that moved farthest, " + table_label(drift.name), {"slot", "relative", "distance", "reads"}, {}};
  for (const results::MovedRow& row : drift.most) {
    table.rows.push_back({std::to_string(row.slot), movement_text(row.relative), results::decimal_text(row.distance, 4),
                          results::count_text(row.reads)});
  }
  return table;
}

Table light_table(const results::SlotLight& light) {
  Table table{concat("Who reads slot ", light.slot), {"layer and head", "reads", "weight", "mean weight"}, {}};
  for (const results::SlotLight::By& by : light.heads) {
    table.rows.push_back({concat("layer ", by.layer, " head ", by.head), results::count_text(by.reads),
                          results::decimal_text(by.weight, 3),
                          results::decimal_text(by.weight / static_cast<double>(by.reads), 3)});
  }
  return table;
}

Table lit_texts_table(const std::string& caption, const std::vector<results::LitText>& texts) {
  Table table{caption, {"number", "weight", "reads", "strongest at", "text"}, {}};
  for (const results::LitText& text : texts) {
    table.rows.push_back({std::to_string(text.id), results::decimal_text(text.weight, 3),
                          results::count_text(text.reads), "..." + on_one_line(text.token), on_one_line(text.text)});
  }
  return table;
}

Table chosen_table(const results::AskedQuestion::Head& head, size_t top) {
  Table table{concat("Layer ", head.layer, ", head ", head.head), {"slot", "weight", "reads", "of its layer"}, {}};
  for (const results::ChosenSlot& slot : head.slots) {
    if (top > 0 && table.rows.size() == top) break;
    table.rows.push_back({std::to_string(slot.slot), results::decimal_text(slot.weight, 3),
                          results::count_text(slot.reads), results::count_text(slot.layer_reads)});
  }
  return table;
}

std::string sweep_text(const results::Inspection& inspection) {
  return concat(results::count_text(inspection.tokens), " tokens of ", results::count_text(inspection.documents),
                " documents (", inspection.split, " of ", inspection.data, ")",
                inspection.interrupted ? "; interrupted, so less than was asked for" : "");
}

std::string bin_text(size_t bin) {
  const auto number = [](double edge) {
    std::string text = results::decimal_text(edge, 4);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text;
  };
  const auto& edges = results::drift_edges();
  if (bin == 0) return "under " + number(edges[0]);
  if (std::isinf(edges[bin])) return number(edges[bin - 1]) + " and more";
  return number(edges[bin - 1]) + " to " + number(edges[bin]);
}

std::string table_label(const std::string& name) {
  std::string label = name.starts_with("model.") ? name.substr(6) : name;
  if (label.ends_with(".weight")) label.resize(label.size() - 7);
  return label;
}

std::string asked_line(const results::AskedQuestion& asked) {
  std::string text = "\"" + on_one_line(asked.prompt) + "\" -> \"" + on_one_line(asked.said) + "\"";
  if (asked.answers.empty()) return text;
  return text + (asked.right ? " (right)" : " (wrong; accepted: " + asked.answers[0] + ")");
}

}  // namespace memlayers::report
