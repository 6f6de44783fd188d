#include "evaluation/questions/answer_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <string_view>
#include <vector>

#include "base/joined.h"
#include "evaluation/questions/asking.h"

namespace memlayers::evaluation {
namespace {

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

std::string trim(const std::string& text) {
  size_t begin = 0, end = text.size();
  while (begin < end && is_space(text[begin])) ++begin;
  while (end > begin && is_space(text[end - 1])) --end;
  return text.substr(begin, end - begin);
}

/// The word that ends before `end`.
std::string_view word_before(const std::string& text, size_t end) {
  size_t begin = end;
  while (begin > 0 && !is_space(text[begin - 1]) && text[begin - 1] != '.') --begin;
  return std::string_view(text).substr(begin, end - begin);
}

/// An initial within a name ("John F. Kennedy") or one of a few short forms. A letter that is all that was said is an answer.
bool is_abbreviation(const std::string& text, size_t period) {
  static constexpr std::array<std::string_view, 11> kKnown = {"St", "Ste", "Sta", "Sto", "Mt",  "Ft",
                                                              "Dr", "Mr",  "Mrs", "Ms",  "Prof"};
  const std::string_view word = word_before(text, period);
  if (word.size() == 1 && is_upper(word[0])) {
    const bool first_word = trim(text.substr(0, period)).size() == 1;
    return !first_word && period + 2 < text.size() && is_upper(text[period + 2]);
  }
  return std::find(kKnown.begin(), kKnown.end(), word) != kKnown.end();
}

/// Lower-case form of one character of two bytes (U+0080 to U+07FF).
char32_t lower_two_bytes(char32_t c) {
  if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F))
    return c + 0x20;
  if (c >= 0x400 && c <= 0x40F) return c + 0x50;
  const bool odd_is_lower = (c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14A && c <= 0x177);
  const bool even_is_lower = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
  if ((odd_is_lower && c % 2 == 0) || (even_is_lower && c % 2 == 1)) return c + 1;
  if (c == 0x130) return U'i';
  return c == 0x178 ? 0xFF : c;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (char c : text + " ") {
    if (!is_space(c)) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

}  // namespace

size_t first_sentence_end(const std::string& said) {
  size_t begin = 0;
  while (begin < said.size() && is_space(said[begin])) ++begin;
  for (size_t i = begin; i < said.size(); ++i) {
    if (said[i] == '\n') return i;
    if (said[i] == '.' && i + 1 < said.size() && is_space(said[i + 1]) && !is_abbreviation(said, i)) return i;
  }
  return std::string::npos;
}

std::string extract_answer(const std::string& said) {
  std::string answer = trim(said.substr(0, first_sentence_end(said)));
  if (!answer.empty() && answer.back() == '.') answer.pop_back();
  return trim(answer);
}

std::string lower_case(const std::string& text) {
  std::string lower;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      lower += static_cast<char>(std::tolower(c));
    } else if (c >= 0xC2 && c <= 0xDF && i + 1 < text.size() &&
               (static_cast<unsigned char>(text[i + 1]) & 0xC0) == 0x80) {
      const char32_t letter =
          lower_two_bytes((static_cast<char32_t>(c & 0x1F) << 6) | (static_cast<unsigned char>(text[++i]) & 0x3F));
      if (letter < 0x80) {
        lower += static_cast<char>(letter);
      } else {
        lower += static_cast<char>(0xC0 | (letter >> 6));
        lower += static_cast<char>(0x80 | (letter & 0x3F));
      }
    } else {
      lower += text[i];
    }
  }
  return lower;
}

std::string normalise_answer(const std::string& text) {
  const std::string lower = lower_case(text);
  std::string bare;
  for (char c : lower) {
    if (!std::ispunct(static_cast<unsigned char>(c))) bare += c;
  }
  const std::vector<std::string> words = words_of(bare);
  std::vector<std::string> kept;
  for (const std::string& word : words) {
    if (word != "a" && word != "an" && word != "the") kept.push_back(word);
  }
  if (!kept.empty()) return base::joined(kept, " ");
  return words.empty() ? base::joined(words_of(lower), " ") : base::joined(words, " ");
}

double f1_score(const std::string& prediction, const std::string& truth) {
  const std::vector<std::string> said = words_of(normalise_answer(prediction)),
                                 right = words_of(normalise_answer(truth));
  if (said.empty() || right.empty()) return said.empty() && right.empty() ? 1.0 : 0.0;
  std::map<std::string, int64_t> left;
  for (const std::string& word : right) ++left[word];
  int64_t common = 0;
  for (const std::string& word : said) common += left[word]-- > 0 ? 1 : 0;
  if (common == 0) return 0.0;
  const double precision = static_cast<double>(common) / static_cast<double>(said.size());
  const double recall = static_cast<double>(common) / static_cast<double>(right.size());
  return 2 * precision * recall / (precision + recall);
}

}  // namespace memlayers::evaluation
