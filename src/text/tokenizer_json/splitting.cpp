#include "text/tokenizer_json/splitting.h"

#include <algorithm>
#include <map>

namespace memlayers::text {
namespace {

struct Part {
  size_t begin, end;
  bool found;
};

/// What was found and what lies between, covering the text.
std::vector<Part> all_parts(std::string_view text, const std::vector<Pattern::Span>& found, bool invert) {
  std::vector<Part> parts;
  size_t done = 0;
  for (const auto& [begin, end] : found) {
    if (begin > done) parts.push_back({done, begin, invert});
    parts.push_back({begin, end, !invert});
    done = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), invert});
  return parts;
}

/// Lets the parts grow over those after them: over a found one that follows another part (kMergedWithPrevious), or over
/// all of the same kind (kContiguous).
std::vector<Part> joined(const std::vector<Part>& parts, bool contiguous) {
  std::vector<Part> result;
  bool found_before = false;
  for (const Part& part : parts) {
    const bool joins = contiguous ? part.found == found_before : part.found && !found_before;
    if (joins && !result.empty()) {
      result.back().end = part.end;
    } else {
      result.push_back(part);
    }
    found_before = part.found;
  }
  return result;
}

/// The same from the end: a found part joins the one after it.
std::vector<Part> joined_with_next(const std::vector<Part>& parts) {
  std::vector<Part> result;
  bool found_before = false;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->found && !found_before && !result.empty()) {
      result.back().begin = part->begin;
    } else {
      result.push_back(*part);
    }
    found_before = part->found;
  }
  std::reverse(result.begin(), result.end());
  return result;
}

}  // namespace

SplitBehavior split_behavior_of(const Json& component, const char* key, SplitBehavior otherwise, const char* what) {
  static const std::map<std::string, SplitBehavior> kNames = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  const std::string name = text_of(component, key, "", what);
  if (name.empty()) return otherwise;
  const auto found = kNames.find(name);
  require(found != kNames.end(), what, ": the behavior \"", name.substr(0, 60), "\" is not supported");
  return found->second;
}

void split_at(std::string_view text, const std::vector<Pattern::Span>& found, SplitBehavior behavior, bool invert,
              std::vector<std::string>& parts) {
  std::vector<Part> cut = all_parts(text, found, invert);
  if (behavior == SplitBehavior::kMergedWithPrevious) cut = joined(cut, false);
  if (behavior == SplitBehavior::kContiguous) cut = joined(cut, true);
  if (behavior == SplitBehavior::kMergedWithNext) cut = joined_with_next(cut);
  for (const Part& part : cut) {
    if (behavior == SplitBehavior::kRemoved && part.found) continue;
    if (part.end > part.begin) parts.emplace_back(text.substr(part.begin, part.end - part.begin));
  }
}

}  // namespace memlayers::text
