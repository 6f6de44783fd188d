// Cutting a text at what was found in it, by the behaviors that a pre-tokenizer names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_json/format.h"
#include "text/tokenizer_json/pattern.h"

namespace memlayers::text {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

/// Throws FormatError: an unknown name.
SplitBehavior split_behavior_of(const Json& component, const char* key, SplitBehavior otherwise, const char* what);

/// Appends the parts of `text` to `parts`, empty ones left out. `found`: what was found in it, in order; `invert`: what
/// lies between counts as found instead.
void split_at(std::string_view text, const std::vector<Pattern::Span>& found, SplitBehavior behavior, bool invert,
              std::vector<std::string>& parts);

}  // namespace memlayers::text
