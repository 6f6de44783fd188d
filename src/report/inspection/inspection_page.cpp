#include "report/inspection/inspection_page.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/charts/svg_chart.h"
#include "report/inspection/inspection_tables.h"
#include "report/page/page.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using base::concat;
using html::element;
using html::paragraph;

constexpr int kLayerColor = 3;  // layers have the colors the report gives them

std::string whole_percent(double share) { return results::percent_text(share, 0); }

/// Cumulative share of reads over the slots, most read first: a curve a layer.
Figure spread_figure(const results::Inspection& inspection) {
  Figure figure{"spread", "How evenly each layer reads", {}, {}, {use_table(inspection)}};
  LineChart chart{figure.id, figure.title, {}, {}, {}, {}};
  chart.x = {"share of the slots, most read first", false, 0.0, 1.0, whole_percent};
  chart.y = {"share of all reads", false, 0.0, 1.0, whole_percent};
  std::string sentences;
  for (size_t i = 0; i < inspection.layers.size(); ++i) {
    const results::HeadUse& layer = inspection.layers[i];
    const int number = static_cast<int>(i);
    LineSeries series{concat("layer ", layer.layer), kLayerColor + number, number % 4, false, {{0, 0, 0, 0, {}}}, {}};
    double sum = 0;
    for (size_t part = 0; part < layer.spread.read_share.size(); ++part) {
      sum += layer.spread.read_share[part];
      series.points.push_back({static_cast<double>(part + 1) / 100, sum, sum, sum, {}});
    }
    chart.series.push_back(std::move(series));
    sentences += concat(" Layer ", layer.layer, " read ", results::count_text(layer.spread.slots - layer.dead), " of ",
                        results::count_text(layer.spread.slots), " slots.");
  }
  chart.series.push_back({"even use", kMutedColor, 2, false, {{0, 0, 0, 0, {}}, {1, 1, 1, 1, {}}}, {}});
  figure.caption =
      "The nearer a curve is to the straight line, the more evenly its layer spreads its reads." + sentences;
  chart.description = figure.caption;
  figure.svg = line_chart_svg(chart);
  return figure;
}

/// A bar a head: the share of the slots it read.
Figure heads_figure(const results::Inspection& inspection) {
  Figure figure{"heads", "Slots read by each head", {}, {}, {use_table(inspection)}};
  figure.caption =
      "Share of the table's slots that a head read at least once; the others are dead to it in this sweep.";
  BarChart chart{figure.id, figure.title, figure.caption, {"share of the slots", false, {}, {}, whole_percent}, {}, {}};
  chart.series.push_back({"slots read", kLayerColor, {}});
  for (const results::HeadUse& head : inspection.heads) {
    chart.groups.push_back(concat("layer ", head.layer, " head ", head.head));
    const double share = head.spread.used_share;
    chart.series[0].bars.push_back(Bar{share, share, share, results::percent_text(share)});
  }
  figure.svg = bar_chart_svg(chart);
  return figure;
}

Figure pairs_figure(const results::Inspection& inspection) {
  Figure figure{"pairs", "Slots that two layers share", {}, {}, {pairs_table(inspection)}};
  figure.caption =
      "Slots that both layers of a pair read at least once, beside as many as would be if each had chosen its slots "
      "without regard to the other.";
  BarChart chart{figure.id, figure.title, figure.caption, {"slots", false, {}, {}, {}}, {}, {}};
  chart.series = {{"read by both", kLayerColor, {}}, {"by chance", kMutedColor, {}}};
  for (const results::LayerPair& pair : inspection.pairs) {
    chart.groups.push_back(concat("layers ", pair.first, " and ", pair.second));
    const auto both = static_cast<double>(pair.both);
    chart.series[0].bars.push_back(Bar{both, both, both, results::count_text(pair.both)});
    chart.series[1].bars.push_back(
        Bar{pair.by_chance, pair.by_chance, pair.by_chance, results::count_text(std::llround(pair.by_chance))});
  }
  figure.svg = bar_chart_svg(chart);
  return figure;
}

Figure drift_figure(const results::TableDrift& drift, size_t index) {
  Figure figure{concat("drift-", index), "How far rows moved: " + table_label(drift.name), {}, {}, {}};
  figure.tables = {histogram_table(drift)};
  if (!drift.most.empty()) figure.tables.push_back(moved_table(drift));
  figure.caption =
      concat("Length of a row's movement over its length then: median ", results::decimal_text(drift.median, 3),
             ", largest ", results::decimal_text(drift.largest, 3), "; ", results::count_text(drift.unmoved), " of ",
             results::count_text(drift.slots), " rows did not move.");
  BarChart chart{figure.id, figure.title, figure.caption, {"rows", false, {}, {}, {}}, {}, {}};
  chart.series.push_back({"rows", kLayerColor, {}});
  for (const auto& row : histogram_table(drift).rows) chart.groups.push_back(row[0]);
  const auto bar = [&](int64_t rows) {
    const auto value = static_cast<double>(rows);
    chart.series[0].bars.push_back(Bar{value, value, value, results::count_text(rows)});
  };
  bar(drift.unmoved);
  for (const int64_t rows : drift.histogram) {
    if (rows > 0) bar(rows);
  }
  if (drift.from_zero > 0) bar(drift.from_zero);
  figure.svg = bar_chart_svg(chart);
  return figure;
}

std::string card(const Table& table) { return element("div", "class=\"card\"", html::table(table)); }

/// Alone in its row, a card takes the whole width.
std::string wide_card(const Table& table) { return element("div", "class=\"figures\"", card(table)); }

/// A table of texts, which wrap; on a telephone each cell says what it is.
std::string texts_markup(const std::string& caption, const std::vector<results::LitText>& texts) {
  if (texts.empty()) return paragraph("", caption + ": none.");
  const Table table = lit_texts_table(caption, texts);
  std::string head, body;
  for (const std::string& name : table.head)
    head += concat("<th scope=\"col\">", results::escape_markup(name), "</th>");
  for (const auto& row : table.rows) {
    std::string cells = concat("<th scope=\"row\">", results::escape_markup(row[0]), "</th>");
    for (size_t i = 1; i < row.size(); ++i) {
      cells += concat("<td data-label=\"", results::escape_markup(table.head[i]), "\">", results::escape_markup(row[i]),
                      "</td>");
    }
    body += element("tr", "", cells);
  }
  const std::string label = results::escape_markup(caption);
  return element("div", "class=\"wide\"",
                 html::scrolling(label, concat("<table class=\"words\"><caption>", label, "</caption><thead><tr>", head,
                                               "</tr></thead>\n<tbody>", body, "</tbody></table>")));
}

std::string use_section(const results::Inspection& inspection) {
  if (inspection.tokens == 0) return {};
  std::vector<Figure> figures{spread_figure(inspection), heads_figure(inspection)};
  if (!inspection.pairs.empty()) figures.push_back(pairs_figure(inspection));
  std::string cards;
  for (const results::TableUse& table : inspection.tables) cards += card(most_read_table(inspection, table));
  return figures_section("How the tables are read", figures,
                         wide_card(use_table(inspection)) + wide_card(tables_table(inspection)) +
                             element("div", "class=\"figures\"", cards));
}

std::string light_section(const results::Inspection& inspection) {
  std::string out;
  for (const results::SlotLight& light : inspection.lights) {
    std::string body;
    if (inspection.lights.size() > 1) body += paragraph("lead", table_label(inspection.tables[light.table].name));
    if (light.heads.empty()) {
      body += paragraph("", "No document of the sweep read it.");
    } else {
      body += wide_card(light_table(light));
      body += texts_markup("Documents that light it, most weight first", light.documents);
    }
    if (inspection.questions > 0) {
      body += texts_markup(concat("Questions that light it, of ", results::count_text(inspection.questions), " asked"),
                           light.questions);
    }
    out += html::section(concat("What lights slot ", light.slot), body);
  }
  return out;
}

std::string asked_section(const results::AskedQuestion& asked) {
  std::string cards;
  for (const results::AskedQuestion::Head& head : asked.heads) cards += card(chosen_table(head, 0));
  return html::section("Which slots answered",
                       paragraph("lead", asked_line(asked)) +
                           paragraph("", concat("The slots each head read at the prompt's last token, \"", asked.token,
                                                "\", where the answer begins, with their weights there and how often "
                                                "the head and its whole layer read them in the sweep.")) +
                           element("div", "class=\"cards\"", cards));
}

std::string words_section(const results::Inspection& inspection) {
  const auto entry = [](const std::string& term, const std::string& meaning) {
    return concat("<dt>", results::escape_markup(term), "</dt><dd>", results::escape_markup(meaning), "</dd>");
  };
  std::string list =
      entry("reads", "(slot, token) pairs: every head reads k slots of every token") +
      entry("dead", "slots that were not read in this sweep; a longer one reads more") +
      entry("hot", concat("slots read more than once and at least ", results::decimal_text(inspection.hot_factor, 1),
                          " times as often as even reading would")) +
      entry("KL to even", "how far the reads are from even, in nats: 0 is even, log(slots) one slot only") +
      entry("weight", "a slot's share of its head's sum for one token; a head's weights sum to 1");
  if (!inspection.drift.empty()) {
    list += entry("moved by", "Euclidean length of (row now - row then), over the length of the row then");
  }
  return html::section("What the words mean", element("dl", "", list));
}

}  // namespace

std::string inspection_page(const results::Inspection& inspection) {
  const std::string title = "Tables of " + inspection.model;
  std::string body = concat("<h1>", results::escape_markup(title), "</h1>\n");
  body += paragraph("lead", "Measured while the model read " + sweep_text(inspection) + ".");
  if (inspection.asked) body += asked_section(*inspection.asked);
  body += light_section(inspection);
  body += use_section(inspection);
  if (!inspection.drift.empty()) {
    std::vector<Figure> figures;
    for (const results::TableDrift& drift : inspection.drift) figures.push_back(drift_figure(drift, figures.size()));
    body += figures_section("Movement since " + inspection.since, figures, wide_card(drift_table(inspection)));
  }
  body += words_section(inspection);
  return page_html(title, "memlayers inspect", body, "Written by memlayers inspect.");
}

}  // namespace memlayers::report
