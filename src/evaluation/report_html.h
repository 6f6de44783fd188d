// The comparison as one page: no script, nothing from outside, light and dark, wide and narrow.
#pragma once

#include <string>

#include "evaluation/comparison.h"

namespace memlayers::evaluation {

/// The whole HTML file, which is well-formed XML too. Draws what is there: one run, runs that were never asked and
/// missing relations or slot usage only shorten the page.
std::string report_html(const Comparison& comparison);

/// The page's style sheet (report_style.cpp).
extern const char* const kReportStyle;

}  // namespace memlayers::evaluation
