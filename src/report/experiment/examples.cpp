#include "report/experiment/sections.h"

#include <algorithm>

#include "base/error.h"
#include "report/page/html_markup.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using base::concat;
using html::element;

/// `label` heads the cell where a narrow screen shows rows as blocks; `markup` is markup already.
std::string labeled_cell(const std::string& label, std::string_view markup) {
  return element("td", concat("data-label=\"", results::escape_markup(label), "\""), markup);
}

std::string reply_markup(const results::Example& example, const std::string& variant) {
  const auto reply = std::find_if(example.replies.begin(), example.replies.end(),
                                  [&](const results::Example::Reply& one) { return one.variant == variant; });
  if (reply == example.replies.end()) return "not asked";
  const std::string_view judged = reply->correct ? "right" : "wrong";
  return concat("<span class=\"", judged, "\"><span class=\"hidden\">", judged, ": </span>",
                results::escape_markup(reply->text.empty() ? "(nothing)" : reply->text), "</span>");
}

/// Those whose answers the examples hold.
std::vector<std::string> answering_variants(const results::Comparison& comparison) {
  std::vector<std::string> variants = comparison.variants;
  std::erase_if(variants, [&](const std::string& variant) {
    return std::none_of(comparison.examples.begin(), comparison.examples.end(), [&](const results::Example& example) {
      return std::any_of(example.replies.begin(), example.replies.end(),
                         [&](const results::Example::Reply& reply) { return reply.variant == variant; });
    });
  });
  return variants;
}

}  // namespace

std::string examples_section(const results::Comparison& comparison) {
  if (comparison.examples.empty()) return {};
  std::vector<std::string> columns{"beginning of the sentence", "right ending", "wording"};
  const std::vector<std::string> variants = answering_variants(comparison);
  for (const std::string& variant : variants) columns.push_back(results::variant_label(variant) + " wrote");
  std::string head, rows;
  for (const std::string& column : columns) head += element("th", "scope=\"col\"", results::escape_markup(column));
  for (const results::Example& example : comparison.examples) {
    std::string cells = element("th", "scope=\"row\"", results::escape_markup(example.prompt) + " …");
    cells += labeled_cell(columns[1], results::escape_markup(example.answer));
    cells += labeled_cell(columns[2], example.wording == "seen" ? "read" : "never read");
    for (size_t v = 0; v < variants.size(); ++v) {
      cells += labeled_cell(columns[3 + v], reply_markup(example, variants[v]));
    }
    rows += element("tr", "", cells);
  }
  const std::string_view caption = "What the first seed of each model wrote";
  const std::string table = concat("<table class=\"words\"><caption>", caption, "</caption><thead><tr>", head,
                                   "</tr></thead>\n<tbody>", rows, "</tbody></table>");
  return html::section("Some questions and answers",
                       element("div", "class=\"wide\"", html::scrolling(caption, table, "scroll whole")));
}

}  // namespace memlayers::report
