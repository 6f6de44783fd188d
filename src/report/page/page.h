// The comparison as one page: no script, nothing from outside, light and dark, wide and narrow.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/comparison/report_figures.h"
#include "results/comparison.h"

namespace memlayers::report {

/// The whole HTML file, which is well-formed XML too. Draws what is there: one run, runs that were never asked and
/// missing relations or slot usage only shorten the page.
std::string report_html(const results::Comparison& comparison);

/// A whole page around `body_markup`, with the style sheet and a policy that lets it fetch nothing. `title` and `footer` are text.
std::string page_html(std::string_view title, std::string_view generator, std::string_view body_markup,
                      std::string_view footer);
/// A section of figures in two columns where there is room, `below_markup` under them; empty without figures.
std::string figures_section(std::string_view heading, const std::vector<Figure>& figures,
                            const std::string& below_markup = {});

/// The page's style sheet (report_style.cpp).
extern const char* const kReportStyle;

}  // namespace memlayers::report
