#include "report/page/standalone_svg.h"

#include <cassert>
#include <map>
#include <sstream>

#include "base/error.h"
#include "report/page/page.h"

namespace memlayers::report {
namespace {

using Colors = std::map<std::string, std::string>;

/// "--name: value;" pairs of the style sheet's first block, which is the light theme.
Colors light_colors(const std::string& style) {
  Colors colors;
  const size_t end = style.find('}');
  size_t at = 0;
  while ((at = style.find("--", at)) < end) {
    const size_t colon = style.find(':', at), stop = style.find(';', at);
    colors[style.substr(at, colon - at)] = style.substr(colon + 2, stop - colon - 2);
    at = stop;
  }
  return colors;
}

std::string with_colors(const std::string& text, const Colors& colors) {
  std::string out;
  size_t from = 0;
  for (size_t at; (at = text.find("var(", from)) != std::string::npos;) {
    const size_t close = text.find(')', at);
    const auto color = colors.find(text.substr(at + 4, close - at - 4));
    assert(color != colors.end());
    out += text.substr(from, at - from) + color->second;
    from = close + 1;
  }
  return out + text.substr(from);
}

/// The style sheet's rules that begin with "svg".
std::string chart_rules(const std::string& style) {
  std::string rules;
  std::istringstream lines(style);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("svg ")) rules += line + "\n";
  }
  return rules;
}

}  // namespace

std::string standalone_svg(const std::string& svg) {
  const std::string style = kReportStyle;
  const size_t inside = svg.find('>') + 1;
  const std::string head =
      base::concat("<style>", chart_rules(style),
                   "svg { background: #ffffff; font: 13px \"Liberation Sans\", Arial, sans-serif; }</style>",
                   "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
  return with_colors(svg.substr(0, inside) + head + svg.substr(inside), light_colors(style)) + "\n";
}

}  // namespace memlayers::report
