#include "evaluation/questions/answer_text.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>
#include <vector>

#include "base/joined.h"
#include "base/utf8.h"

namespace memlayers::evaluation {
namespace {

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string trim(const std::string& text) { return std::string(base::trimmed(text)); }

size_t skip_space(const std::string& text, size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

/// Bytes of a leading article, which does not count when answers are compared.
size_t article(const std::string& text) {
  for (const std::string_view word : {"The ", "the ", "An ", "an ", "A ", "a "}) {
    if (text.starts_with(word)) return word.size();
  }
  return 0;
}

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

/// The word that ends before `end`.
std::string_view word_before(const std::string& text, size_t end) {
  size_t begin = end;
  while (begin > 0 && !is_space(text[begin - 1])) --begin;
  return std::string_view(text).substr(begin, end - begin);
}

/// One letter, of any alphabet.
bool is_initial(std::string_view word) {
  if (word.size() == 1) return is_letter(word[0]);
  if (word.size() < 2 || static_cast<unsigned char>(word[0]) < 0xC3) return false;
  return std::ranges::all_of(word.substr(1), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; });
}

/// Letters with full stops between them: "U.S", "a.m".
bool is_dotted(std::string_view word) {
  if (word.size() < 3 || word.size() % 2 == 0) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (i % 2 == 0 ? !is_letter(word[i]) : word[i] != '.') return false;
  }
  return true;
}

bool is_known_abbreviation(std::string_view word) {
  static constexpr std::string_view kKnown[] = {
      "St",  "Ste", "Sta",  "Sto",  "Mt",  "Ft",  "Dr",   "Mr",   "Mrs",  "Ms",   "Prof", "Jr",  "Sr",  "Inc",
      "Ltd", "Co",  "Corp", "Bros", "Cie", "vs",  "Sgt",  "Lt",   "Col",  "Gen",  "Capt", "Cpl", "Maj", "Adm",
      "Gov", "Sen", "Rep",  "Rev",  "Hon", "Ave", "Dept", "Univ", "Assn", "Intl", "Ph.D", "Esq", "etc"};
  return std::ranges::find(kKnown, word) != std::end(kKnown);
}

/// Short forms before a number only: elsewhere "No" and "Jan" are words.
bool is_before_number(std::string_view word) {
  static constexpr std::string_view kKnown[] = {"Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Sept", "Oct",
                                                "Nov", "Dec", "No",  "no",  "Nos", "Vol", "Op",  "Fig", "pp",   "ch"};
  return std::ranges::find(kKnown, word) != std::end(kKnown);
}

bool is_number_after(const std::string& text, size_t stop) {
  const size_t next = skip_space(text, stop + 1);
  return next < text.size() && is_digit(text[next]);
}

/// A single letter that is all that was said is an answer, unless another initial follows.
bool is_lone_letter(const std::string& text, size_t stop) {
  const size_t next = skip_space(text, stop + 1);
  size_t end = next;
  while (end < text.size() && !is_space(text[end]) && text[end] != '.') ++end;
  const bool initial_follows =
      end < text.size() && text[end] == '.' && is_initial(std::string_view(text).substr(next, end - next));
  return is_initial(trim(text.substr(0, stop))) && !initial_follows;
}

/// Whether a doubtful full stop ends the answer where all was said and no sentence follows.
bool ends_at(const std::string& text, size_t stop) {
  return skip_space(text, stop + 1) == text.size() || is_lone_letter(text, stop);
}

/// Whether the full stop at `stop` may shorten the word before it rather than end a sentence.
bool follows_abbreviation(const std::string& text, size_t stop) {
  const std::string_view word = word_before(text, stop);
  return is_initial(word) || is_dotted(word) || is_known_abbreviation(word) ||
         (is_before_number(word) && (is_number_after(text, stop) || skip_space(text, stop + 1) == text.size()));
}

enum class Follows { kSentence, kRest, kUnknown };

/// What comes after a doubtful full stop, where `text` goes on at `at`: a sentence, or the rest of a name.
Follows what_follows(const std::string& text, size_t at, bool over) {
  for (int words = 0; words < 2;) {
    const size_t begin = skip_space(text, at);
    at = begin;
    while (at < text.size() && !is_space(text[at])) ++at;
    if (at == text.size() && (!over || begin == at)) return Follows::kUnknown;
    const std::string_view word = std::string_view(text).substr(begin, at - begin);
    if (!word.ends_with('.')) {
      ++words;
    } else if (!is_initial(word.substr(0, word.size() - 1))) {
      return Follows::kRest;
    }
  }
  return Follows::kSentence;
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

AnswerRule::AnswerRule(std::vector<std::string> accepted, std::string ending) : ending_(std::move(ending)) {
  for (const std::string& answer : accepted) {
    const std::string text = trim(answer);
    if (!text.empty()) accepted_.push_back(text.substr(article(text)));
  }
  std::ranges::stable_sort(accepted_, std::ranges::greater{}, &std::string::size);
}

/// Whether `text` is `accepted` and then the ending. Open: more text could make it so.
AnswerRule::Match AnswerRule::match(const std::string& text, const std::string& accepted, bool over) const {
  const Match open = over ? Match::kNo : Match::kOpen;
  const std::string said = text.substr(article(text));
  const size_t size = accepted.size();
  if (!same_letters(std::string_view(said).substr(0, size), std::string_view(accepted).substr(0, said.size()))) {
    return Match::kNo;
  }
  if (said.size() < size) return open;
  if (said.size() == size) return over ? Match::kYes : Match::kOpen;
  const auto settled = [&](size_t stop) {
    switch (what_follows(said, stop + 1, over)) {
      case Follows::kSentence:
        return Match::kYes;
      case Follows::kRest:
        return Match::kNo;
      default:
        return over && ends_at(said, stop) ? Match::kYes : open;
    }
  };
  if (said.compare(size, ending_.size(), ending_) == 0) {
    const size_t after = size + ending_.size();
    if (after == said.size()) return over ? Match::kYes : Match::kOpen;
    if (is_space(said[after])) return ending_ == "." && follows_abbreviation(said, size) ? settled(size) : Match::kYes;
  } else if (ending_.starts_with(said.substr(size))) {
    return open;
  }
  // Its own last stop is the sentence's too, in texts that do not write both.
  if (accepted.ends_with(ending_) && is_space(said[size])) return settled(size - 1);
  return Match::kNo;
}

bool AnswerRule::is_doubtful(const std::string& text, size_t stop) const {
  if (ending_ != ".") return false;
  const std::string said = text.substr(article(text), stop + 1 - article(text));
  const auto begun = [&](const std::string& accepted) {
    return accepted.size() >= said.size() && same_letters(said, std::string_view(accepted).substr(0, said.size()));
  };
  return follows_abbreviation(text, stop) || std::ranges::any_of(accepted_, begun);
}

size_t AnswerRule::end(const std::string& said, bool finished) const {
  const size_t begin = skip_space(said, 0), line = said.find('\n', begin);
  const std::string text = said.substr(begin, line == std::string::npos ? line : line - begin);
  const bool over = finished || line != std::string::npos;
  for (const std::string& accepted : accepted_) {
    const Match found = match(text, accepted, over);
    if (found == Match::kOpen) return std::string::npos;
    if (found == Match::kYes) return begin + article(text) + accepted.size();
  }
  for (size_t stop = text.find(ending_); stop != std::string::npos; stop = text.find(ending_, stop + 1)) {
    const size_t after = stop + ending_.size();
    if (after == text.size()) {
      if (over) return begin + stop;
      continue;
    }
    if (!is_space(text[after])) continue;
    if (!is_doubtful(text, stop)) return begin + stop;
    const Follows follows = what_follows(text, after, over);
    if (follows == Follows::kUnknown && !over) return std::string::npos;
    if (follows == Follows::kSentence || ends_at(text, stop)) return begin + stop;
  }
  return line;
}

bool AnswerRule::is_open(const std::string& said, bool answer_itself) const {
  const size_t begin = skip_space(said, 0);
  if (said.find('\n', begin) != std::string::npos) return false;
  const std::string text = said.substr(begin);
  return std::ranges::any_of(accepted_, [&](const std::string& accepted) {
    const bool shorter = text.size() - article(text) < accepted.size();
    return (shorter || !answer_itself) && match(text, accepted, false) == Match::kOpen;
  });
}

std::string AnswerRule::answer(const std::string& said) const { return trim(said.substr(0, end(said, true))); }

std::string extract_answer(const std::string& said) { return AnswerRule().answer(said); }

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

std::string normalize_answer(const std::string& text) {
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
  const std::vector<std::string> said = words_of(normalize_answer(prediction)),
                                 right = words_of(normalize_answer(truth));
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
