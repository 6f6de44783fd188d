#include "report/experiment/experiment_page.h"

#include <algorithm>

#include "base/error.h"
#include "report/experiment/contest.h"
#include "report/experiment/experiment_text.h"
#include "report/experiment/figures.h"
#include "report/experiment/sections.h"
#include "report/page/page.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using base::concat;
using html::element;
using html::paragraph;

std::string wide(const std::string& markup) { return element("div", "class=\"wide\"", markup); }

std::string bullets(const std::vector<std::string>& lines) {
  std::string items;
  for (const std::string& line : lines) items += element("li", "", results::escape_markup(line));
  return items.empty() ? items : element("ul", "", items);
}

std::string answer(const results::Experiment& experiment) {
  if (experiment.criteria.empty()) {
    return answer_section(experiment.comparison, deciding_metric(experiment.comparison, experiment.told_by));
  }
  std::vector<std::string> notes;
  if (!experiment.failures.empty()) notes.push_back(concat(experiment.failures.size(), " cells failed, see below"));
  for (const std::string& missing : experiment.left_out) notes.push_back("left out: " + missing);
  return element("section", "class=\"answer\" aria-label=\"The verdict\"",
                 paragraph("headline", verdict_text(experiment)) + bullets(notes));
}

std::string criteria_section(const results::Experiment& experiment) {
  if (experiment.criteria.empty()) return {};
  const std::string how =
      "Each was written before the runs. A gain is how much better the second model's number is than the first's "
      "within one seed (for "
      "losses, nats and seconds: how much lower); both read the same text in the same order. A criterion is met where "
      "the whole 95 % "
      "confidence interval over seeds (Student's t) lies above the size claimed, or above zero where none is.";
  return html::section("What was claimed",
                       paragraph("", how) + wide(html::table(criteria_table(experiment), "scroll whole wrap")));
}

/// Who reads a comparison is told what was asked; an experiment's file says so itself.
std::string introduction(const results::Experiment& experiment) {
  const results::Comparison& comparison = experiment.comparison;
  const bool claims = !experiment.criteria.empty();
  std::string text;
  const auto add = [&](const std::string& style, const std::string& words) {
    if (!words.empty()) text += paragraph(style, words);
  };
  if (!claims) add("", question_text(comparison)), add("", models_text(comparison));
  add(claims ? "" : "lead", comparison.description);
  if (!experiment.paper.empty()) add("lead", "In the paper: " + experiment.paper + ".");
  return text;
}

std::string measured_sections(const results::Experiment& experiment) {
  using enum results::FigureKind;
  const results::Comparison& comparison = experiment.comparison;
  const std::vector<Variant> variants = summarize(comparison);
  const std::vector<Figure> curves = experiment_figures(experiment, kCurve);
  std::vector<Figure> end = experiment_figures(experiment, kVariants);
  for (const auto kind : {kWordings, kRelations, kAnswers}) {
    for (Figure& figure : experiment_figures(experiment, kind)) end.push_back(std::move(figure));
  }
  const std::vector<Figure> steps = experiment_figures(experiment, kSteps);
  const bool claims = !experiment.criteria.empty();
  std::string text;
  if (!claims) text += equal_cost_section(comparison, variants, deciding_metric(comparison, experiment.told_by));
  text += figures_section("While they learned", curves);
  text += figures_section(claims ? "What was measured" : "What they knew in the end", end);
  if (!claims) text += examples_section(comparison);
  text += figures_section("How the memory was used", experiment_figures(experiment, kSlots));
  if (!steps.empty()) text += figures_section("Where a step's time goes", steps, step_tables(comparison, variants));
  const std::string runs = claims ? "" : html::details("Every run by itself", html::table(runs_table(experiment)));
  return text + html::section(claims ? "Every variant" : "The models",
                              wide(html::table(variants_table(experiment), "scroll whole") + runs));
}

std::string published_section(const results::Experiment& experiment) {
  if (experiment.published.empty()) return {};
  std::string tables = paragraph("", "At the paper's size, with its data; only orderings can be compared with ours.");
  for (const results::PublishedTable& table : experiment.published)
    tables += wide(html::table({table.caption, table.head, table.rows}));
  return html::section("What the paper printed", tables);
}

std::string index_verdicts(const results::Experiment& experiment) {
  const Table criteria = criteria_table(experiment);
  std::string items;
  for (const auto& row : criteria.rows) {
    const std::string style = row[1] == "met" ? "class=\"right\"" : row[1] == "missed" ? "class=\"wrong\"" : "";
    items += element("li", style, results::escape_markup(row[1] + ": " + row[0]));
  }
  return element("ul", "", items);
}

std::string index_card(const IndexEntry& entry) {
  const results::Experiment& experiment = entry.experiment;
  std::string content = element("h3", "",
                                concat("<a href=\"", results::escape_markup(entry.link), "\">",
                                       results::escape_markup(experiment.comparison.title), "</a>"));
  if (!experiment.paper.empty()) content += paragraph("budget", "In the paper: " + experiment.paper);
  content += paragraph("lead-text", verdict_text(experiment)) + index_verdicts(experiment);
  if (!experiment.comparison.runs.empty()) {
    content += paragraph("small", concat(experiment.comparison.runs.size(), " models trained, ",
                                         experiment.comparison.date, ", commit ", experiment.comparison.commit));
  }
  return element("div", "class=\"card\"", content);
}

}  // namespace

std::string experiment_page(const results::Experiment& given) {
  results::Experiment experiment = given;
  experiment.comparison = completed(given.comparison);
  const results::Comparison& comparison = experiment.comparison;
  const bool claims = !experiment.criteria.empty();
  const std::string title = comparison.title.empty() ? "Comparison of language models" : comparison.title;
  std::string body = element("h1", "", results::escape_markup(title)) + introduction(experiment) + answer(experiment) +
                     criteria_section(experiment);
  if (!comparison.runs.empty()) body += measured_sections(experiment);
  body += published_section(experiment);
  if (!experiment.failures.empty()) body += html::section("Cells that failed", bullets(experiment.failures));
  if (claims && !comparison.runs.empty()) {
    body += paragraph("", "Learning curves, examples and every run by itself are on the page of the runs: ") +
            "<p><a href=\"runs.html\">runs.html</a></p>\n";
  }
  if (!claims || !comparison.runs.empty()) body += method_section(comparison);
  return claims ? page_html(title, "memlayers experiment", body, "Drawn by memlayers experiment from experiment.json.")
                : page_html(title, "memlayers report", body, "Drawn by memlayers report from results.json.");
}

std::string index_page(const std::vector<IndexEntry>& entries) {
  std::string cards;
  for (const IndexEntry& entry : entries) cards += index_card(entry);
  const auto skipped = std::count_if(entries.begin(), entries.end(),
                                     [](const IndexEntry& entry) { return !entry.experiment.skipped.empty(); });
  const std::string title = "Experiments";
  return page_html(title, "memlayers report",
                   concat("<h1>", title, "</h1>\n",
                          paragraph("", concat(entries.size(), entries.size() == 1 ? " experiment" : " experiments",
                                               skipped > 0 ? concat(" (", skipped, " skipped)") : "",
                                               ", each with the criteria that were written before it ran.")),
                          element("div", "class=\"cards\"", cards)),
                   "Drawn by memlayers report from each experiment.json.");
}

}  // namespace memlayers::report
