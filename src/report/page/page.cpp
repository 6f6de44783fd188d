#include "report/page/page.h"

#include "base/error.h"
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

}  // namespace memlayers::report
