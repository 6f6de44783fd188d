#include "report/comparison/comparison_page.h"

#include "base/error.h"
#include "report/comparison/report_figures.h"
#include "report/comparison/report_sections.h"
#include "report/page/html_markup.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using base::concat;
using html::element;
using html::paragraph;

std::string figure_markup(const Figure& figure, bool whole_row) {
  std::string tables;
  for (const Table& table : figure.tables) tables += html::table(table);
  return element(
      "figure", concat("id=\"figure-", results::escape_markup(figure.id), whole_row ? "\" class=\"whole-row\"" : "\""),
      concat("<figcaption><h3>", results::escape_markup(figure.title), "</h3>", paragraph("", figure.caption),
             "</figcaption>\n", figure.svg, html::details("The numbers behind this chart", tables)));
}

}  // namespace

std::string page_html(std::string_view title, std::string_view generator, std::string_view body_markup,
                      std::string_view footer) {
  // The policy forbids everything but the style below: the page cannot fetch anything, whatever a name in it holds.
  return concat(
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"color-scheme\" content=\"light dark\"/>\n<meta name=\"generator\" content=\"",
      generator, "\"/>\n<title>", results::escape_markup(title), "</title>\n<style>", kReportStyle,
      "</style>\n</head>\n<body>\n<main>\n", body_markup, "</main>\n<footer>", results::escape_markup(footer),
      "</footer>\n</body>\n</html>\n");
}

std::string figures_section(std::string_view heading, const std::vector<Figure>& figures,
                            const std::string& below_markup) {
  if (figures.empty()) return {};
  std::string drawn;
  for (size_t i = 0; i < figures.size(); ++i) {
    // Two columns on a wide screen: the first of an odd number has a row of its own.
    drawn += figure_markup(figures[i], i == 0 && figures.size() % 2 == 1);
  }
  return html::section(heading, element("div", "class=\"figures\"", drawn) + below_markup);
}

std::string report_html(const results::Comparison& given) {
  const results::Comparison comparison = completed(given);
  const std::vector<VariantSummary> variants = summarize(comparison);
  const std::string title = comparison.title.empty() ? "Comparison of language models" : comparison.title;
  std::string body = concat("<h1>", results::escape_markup(title), "</h1>\n", paragraph("", question_text(comparison)));
  const std::string kinds = models_text(comparison);
  if (!kinds.empty()) body += paragraph("", kinds);
  if (!comparison.description.empty()) body += paragraph("lead", comparison.description);
  body += answer_section(comparison);
  if (!comparison.runs.empty()) {
    body += verdicts_section(comparison, variants);
    body += figures_section("While they learned", learning_figures(comparison, variants));
    body += figures_section("What they knew in the end", recall_figures(comparison, variants));
    body += examples_section(comparison);
    body += figures_section("How the memory was used", usage_figures(comparison, variants));
    body += figures_section("Where a step's time goes", step_figures(comparison, variants),
                            step_tables(comparison, variants));
    body += models_section(comparison, variants);
  }
  body += method_section(comparison);
  return page_html(title, "memlayers report", body, "Drawn by memlayers report from results.json.");
}

}  // namespace memlayers::report
