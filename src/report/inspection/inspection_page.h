// An inspection as one self-contained page in the report's style, and as tables for the terminal.
#pragma once

#include <string>

#include "results/inspection.h"

namespace memlayers::report {

/// The whole HTML file, well-formed XML too: no script, nothing from outside, light and dark.
std::string inspection_page(const results::Inspection& inspection);

/// Tables for the terminal. Ends with a newline.
std::string inspection_text(const results::Inspection& inspection);

}  // namespace memlayers::report
