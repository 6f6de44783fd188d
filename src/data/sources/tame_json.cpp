#include "data/sources/tame_json.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace memlayers::data {
namespace {

/// The unit that "\\uXXXX" at the beginning of `text` stands for.
std::optional<unsigned> escaped_unit(std::string_view text) {
  unsigned unit = 0;
  if (text.size() < 6 || !text.starts_with("\\u")) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 6, unit, 16);
  if (error != std::errc() || end != text.data() + 6) return std::nullopt;
  return unit;
}

bool is_high(std::optional<unsigned> unit) { return unit && *unit >= 0xD800 && *unit < 0xDC00; }
bool is_low(std::optional<unsigned> unit) { return unit && *unit >= 0xDC00 && *unit < 0xE000; }

/// Digits from `at` on; false where there is none.
bool skip_digits(std::string_view text, size_t& at) {
  const size_t begin = at;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at > begin;
}

/// JSON's grammar of numbers.
bool is_number(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  const size_t begin = at;
  if (!skip_digits(text, at) || (text[begin] == '0' && at > begin + 1)) return false;
  if (at < text.size() && text[at] == '.' && !skip_digits(text, ++at)) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!skip_digits(text, at)) return false;
  }
  return at == text.size();
}

template <class Number>
bool holds(std::string_view text) {
  Number value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool is_beyond_a_parser(std::string_view word) {
  if (word == "NaN" || word == "Infinity" || word == "-Infinity") return true;
  return is_number(word) && !holds<int64_t>(word) && !holds<uint64_t>(word);
}

class Tamer {
 public:
  explicit Tamer(std::string_view text) : text_(text) { out_.reserve(text.size()); }

  std::string run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        copy_string();
      } else if (c == '-' || std::isalnum(static_cast<unsigned char>(c)) != 0) {
        copy_word();
      } else {
        copy(1);
      }
    }
    return std::move(out_);
  }
  size_t replaced() const { return replaced_; }

 private:
  void copy(size_t count) {
    out_ += text_.substr(at_, count);
    at_ = std::min(at_ + count, text_.size());  // a text may be cut off anywhere
  }

  void copy_word() {
    size_t end = at_;
    while (end < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 ||
                                  std::string_view("+-.").find(text_[end]) != std::string_view::npos)) {
      ++end;
    }
    const std::string_view word = text_.substr(at_, end - at_);
    out_ += is_beyond_a_parser(word) ? "0.5" : word;
    at_ = end;
  }

  void copy_string() {
    copy(1);
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') {
        copy_escape();
      } else {
        const size_t end = text_.find_first_of("\"\\", at_);
        copy((end == std::string_view::npos ? text_.size() : end) - at_);
      }
    }
    copy(1);
  }

  void copy_escape() {
    const std::string_view rest = text_.substr(at_);
    const auto unit = escaped_unit(rest);
    const bool high = is_high(unit);
    if (high && is_low(escaped_unit(rest.substr(6)))) return copy(12);
    if (!high && !is_low(unit)) return copy(2);
    out_ += "\\ufffd";
    at_ += 6;
    ++replaced_;
  }

  std::string_view text_;
  std::string out_;
  size_t at_ = 0, replaced_ = 0;
};

}  // namespace

size_t tame_json(std::string& text) {
  Tamer tamer(text);
  text = tamer.run();
  return tamer.replaced();
}

}  // namespace memlayers::data
