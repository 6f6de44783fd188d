#include "text/tokenizer_json/pre_tokenizer.h"

#include "text/tokenizer_json/byte_level.h"
#include "text/tokenizer_json/characters.h"
#include "text/tokenizer_json/replacement.h"
#include "text/tokenizer_json/splitting.h"

namespace memlayers::text {
namespace {

constexpr const char* kWhat = "pre_tokenizer";
// GPT-2's pieces: contractions, words, numbers and other signs with the space before them, white space.
constexpr const char* kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kWordsPattern = R"(\w+|[^\w\s]+)";

using Pieces = PreTokenizer::Pieces;
using Place = PreTokenizer::Place;

/// A step that cuts every piece where `find(piece, spans)` finds something.
template <class Find>
auto cutting(Find find, SplitBehavior behavior, bool invert = false) {
  return [find = std::move(find), behavior, invert](Pieces& pieces, const Place&) {
    Pieces parts;
    std::vector<Pattern::Span> found;
    for (const std::string& piece : pieces) {
      find(piece, found);
      split_at(piece, found, behavior, invert, parts);
    }
    pieces = std::move(parts);
  };
}

/// Finds every character that is in a class.
template <class InClass>
auto characters_that(InClass in_class) {
  return [in_class](const std::string& text, std::vector<Pattern::Span>& found) {
    found.clear();
    for (size_t at = 0; at < text.size();) {
      const Character character = first_character(std::string_view(text).substr(at));
      if (in_class(character.code)) found.emplace_back(at, at + character.bytes);
      at += character.bytes;
    }
  };
}

auto matches_of(Pattern pattern) {
  return [pattern = std::move(pattern)](const std::string& text, std::vector<Pattern::Span>& found) {
    pattern.find_all(text, found);
  };
}

std::string replaced(const std::string& text, char what, const std::string& by) {
  std::string result;
  for (const char c : text) c == what ? result += by : result += c;
  return result;
}

}  // namespace

PreTokenizer::PreTokenizer(const Json& component) {
  if (!component.is_null()) add(component);
}

void PreTokenizer::add(const Json& component) {
  const std::string type = type_of(component, kWhat);
  if (type == "Sequence") {
    for (const Json& part : list_of(component, "pretokenizers", kWhat)) add(part);
  } else if (type == "ByteLevel") {
    add_byte_level(component);
  } else if (type == "Metaspace") {
    add_metaspace(component);
  } else if (type == "Split") {
    require(component.contains("behavior"), kWhat, ": a Split without behavior");
    steps_.emplace_back(cutting(matches_of(pattern_of(component, kWhat)),
                                split_behavior_of(component, "behavior", SplitBehavior::kIsolated, kWhat),
                                flag_of(component, "invert", false, kWhat)));
  } else if (type == "Digits") {
    const bool each = flag_of(component, "individual_digits", false, kWhat);
    steps_.emplace_back(
        cutting(characters_that(is_numeric), each ? SplitBehavior::kIsolated : SplitBehavior::kContiguous));
  } else if (type == "Punctuation") {
    steps_.emplace_back(cutting(characters_that(is_punctuation),
                                split_behavior_of(component, "behavior", SplitBehavior::kIsolated, kWhat)));
  } else if (type == "Whitespace") {
    steps_.emplace_back(cutting(matches_of(Pattern(kWordsPattern)), SplitBehavior::kRemoved, /*invert=*/true));
  } else if (type == "WhitespaceSplit") {
    steps_.emplace_back(cutting(characters_that(is_white_space), SplitBehavior::kRemoved));
  } else if (type == "CharDelimiterSplit") {
    const std::string delimiter = one_character(text_of(component, "delimiter", "", kWhat), "the delimiter");
    steps_.emplace_back(cutting(matches_of(Pattern::literal(delimiter)), SplitBehavior::kRemoved));
  } else if (type == "BertPreTokenizer") {
    steps_.emplace_back(cutting(characters_that(is_white_space), SplitBehavior::kRemoved));
    steps_.emplace_back(cutting(characters_that(is_punctuation), SplitBehavior::kIsolated));
  } else {
    throw_unknown(kWhat, type);
  }
}

void PreTokenizer::add_byte_level(const Json& component) {
  if (flag_of(component, "add_prefix_space", true, kWhat)) {
    steps_.emplace_back([](Pieces& pieces, const Place& place) {
      for (std::string& piece : pieces) {
        const bool goes_on = place.continued && &piece == &pieces.front();
        if (!piece.starts_with(' ') && !goes_on) piece.insert(piece.begin(), ' ');
      }
    });
  }
  if (flag_of(component, "use_regex", true, kWhat))
    steps_.emplace_back(cutting(matches_of(Pattern(kByteLevelPattern)), SplitBehavior::kIsolated));
  steps_.emplace_back([](Pieces& pieces, const Place&) {
    for (std::string& piece : pieces) piece = bytes_as_characters(piece);
  });
}

void PreTokenizer::add_metaspace(const Json& component) {
  const std::string mark = one_character(text_of(component, "replacement", "\xE2\x96\x81", kWhat), "the replacement");
  // Older files say it with a flag.
  const bool always = flag_of(component, "add_prefix_space", true, kWhat);
  const std::string scheme = text_of(component, "prepend_scheme", always ? "always" : "never", kWhat);
  require(scheme == "always" || scheme == "first" || scheme == "never", kWhat, ": the prepend_scheme \"",
          scheme.substr(0, 60), "\" is not supported");
  steps_.emplace_back([mark, scheme](Pieces& pieces, const Place& place) {
    for (std::string& piece : pieces) {
      const bool is_first = &piece == &pieces.front();
      piece = replaced(piece, ' ', mark);
      const bool prepends = scheme == "always" || (scheme == "first" && is_first && place.at_beginning);
      if (prepends && !piece.starts_with(mark) && !(is_first && place.continued)) piece.insert(0, mark);
    }
  });
  if (flag_of(component, "split", true, kWhat))
    steps_.emplace_back(cutting(matches_of(Pattern::literal(mark)), SplitBehavior::kMergedWithNext));
}

PreTokenizer::Pieces PreTokenizer::cut(std::string text, const Place& place) const {
  Pieces pieces;
  if (text.empty()) return pieces;
  pieces.push_back(std::move(text));
  for (const Step& step : steps_) step(pieces, place);
  return pieces;
}

}  // namespace memlayers::text
