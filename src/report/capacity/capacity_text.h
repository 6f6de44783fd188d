// What a model holds in bits, for people and for programs.
#pragma once

#include <string>

#include "results/capacity.h"

namespace memlayers::report {

/// Tables for the terminal, and the same numbers as one JSON object. `model` is shown as it is.
std::string capacity_text(const results::Capacity& capacity, const std::string& model);
std::string capacity_json(const results::Capacity& capacity, const std::string& model);

}  // namespace memlayers::report
