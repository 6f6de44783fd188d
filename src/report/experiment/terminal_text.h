// The comparison as plain text for the terminal.
#pragma once

#include <string>

#include "results/comparison.h"

namespace memlayers::report {

/// Title, one aligned line a variant (parameters, FLOPs, speed, recall, F1, nats), the verdicts at equal tokens, FLOPs
/// and seconds, and the answer in a sentence. Ends with a newline.
std::string terminal_table(const results::Comparison& comparison);

}  // namespace memlayers::report
