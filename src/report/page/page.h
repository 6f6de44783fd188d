// A whole page: no script, nothing from outside, light and dark, wide and narrow.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/page/html_markup.h"

namespace memlayers::report {

/// A chart with the tables behind it.
struct Figure {
  std::string id, title, caption;
  std::string svg;
  std::vector<Table> tables;
};

/// The HTML file around `body_markup`, well-formed XML too, with the style sheet and a policy that lets it fetch
/// nothing. `title` and `footer` are text.
std::string page_html(std::string_view title, std::string_view generator, std::string_view body_markup,
                      std::string_view footer);
/// A section of figures in two columns where there is room, `below_markup` under them; empty without figures.
std::string figures_section(std::string_view heading, const std::vector<Figure>& figures,
                            const std::string& below_markup = {});

/// The page's style sheet (page_style.cpp).
extern const char* const kReportStyle;

}  // namespace memlayers::report
