#include "report/page/html_markup.h"

#include <algorithm>

#include "base/error.h"
#include "results/number_text.h"

namespace memlayers::report::html {

std::string element(std::string_view name, std::string_view attributes, std::string_view markup) {
  return base::concat("<", name, attributes.empty() ? "" : " ", attributes, ">", markup, "</", name, ">\n");
}

std::string glued(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t word = text[i] == ' ' ? std::min(text.find_first_of(" .,;:)", i + 1), text.size()) - i - 1 : 0;
    const bool after_number = i > 0 && ((text[i - 1] >= '0' && text[i - 1] <= '9') || text.substr(0, i).ends_with("±"));
    const bool glue = text[i] == ' ' && ((after_number && word <= 4) || text.substr(i + 1).starts_with("±"));
    out += glue ? "\u00a0" : std::string(1, text[i]);
  }
  return out;
}

std::string paragraph(std::string_view style, std::string_view text) {
  return element("p", style.empty() ? "" : base::concat("class=\"", style, "\""), results::escape_markup(glued(text)));
}

std::string section(std::string_view heading_text, std::string_view markup) {
  return element("section", "", element("h2", "", results::escape_markup(heading_text)) + std::string(markup));
}

std::string scrolling(std::string_view label, std::string_view markup, std::string_view style) {
  return element("div", base::concat("class=\"", style, "\" role=\"region\" tabindex=\"0\" aria-label=\"", label, "\""),
                 markup);
}

std::string details(std::string_view summary_text, std::string_view markup) {
  return element("details", "", base::concat("<summary>", results::escape_markup(summary_text), "</summary>", markup));
}

std::string table(const Table& table, std::string_view style) {
  std::string head, body;
  for (const std::string& cell : table.head)
    head += base::concat("<th scope=\"col\">", results::escape_markup(cell), "</th>");
  for (const auto& row : table.rows) {
    std::string cells;
    for (size_t i = 0; i < row.size(); ++i) {
      cells += i == 0 ? base::concat("<th scope=\"row\">", results::escape_markup(row[i]), "</th>")
                      : base::concat("<td>", results::escape_markup(row[i]), "</td>");
    }
    body += element("tr", "", cells);
  }
  const std::string caption = results::escape_markup(table.caption);
  return scrolling(caption,
                   base::concat("<table><caption>", caption, "</caption><thead><tr>", head, "</tr></thead>\n<tbody>",
                                body, "</tbody></table>"),
                   style);
}

}  // namespace memlayers::report::html
