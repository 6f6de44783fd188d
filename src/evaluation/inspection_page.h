// An inspection as one self-contained page in the report's style.
#pragma once

#include <string>

#include "evaluation/inspection.h"

namespace memlayers::evaluation {

/// The whole HTML file, well-formed XML too: no script, nothing from outside, light and dark.
std::string inspection_page(const Inspection& inspection);

}  // namespace memlayers::evaluation
