#include "results/number_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace memlayers::results {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::string printed(const char* format, int digits, double value) {
  std::array<char, 400> buffer;  // the longest double has 309 digits before the point
  const int length = std::snprintf(buffer.data(), buffer.size(), format, digits, value);
  return {buffer.data(), static_cast<size_t>(std::clamp<int>(length, 0, static_cast<int>(buffer.size()) - 1))};
}

/// Bytes of the UTF-8 character at the start of `text`; 0 where they are none (overlong, surrogate or cut forms too).
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 && lead <= 0xF4  ? 4
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xC2 && lead < 0xE0 ? 2
                                                      : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  if (lead == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE) return 0;  // U+FFFE and U+FFFF are no XML characters
  return length;
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '&':
      out += "&amp;";
      return;
    case '<':
      out += "&lt;";
      return;
    case '>':
      out += "&gt;";
      return;
    case '"':
      out += "&quot;";
      return;
    case '\'':
      out += "&#39;";
      return;
    default:
      break;
  }
  const bool control = (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
  if (!control) out += c;
}

}  // namespace

std::string escape_markup(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 1) {
      append_escaped(out, text.front());
    } else {
      out += length == 0 ? kReplacement : text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

size_t display_width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string decimal_text(double value, int decimals) {
  if (!std::isfinite(value)) return "n/a";
  std::string text = printed("%.*f", decimals, value);
  if (text.front() == '-' && text.find_first_not_of("-0.") == std::string::npos) text.erase(0, 1);  // no "-0.0"
  return text;
}

std::string percent_text(double share, int decimals) {
  return std::isfinite(share) ? decimal_text(100 * share, decimals) + "%" : "n/a";
}

std::string points_text(double difference) { return decimal_text(std::abs(100 * difference), 1); }

std::string metric_text(double value, int digits) {
  if (!std::isfinite(value)) return "n/a";
  constexpr std::array<std::pair<double, const char*>, 7> kUnits{
      {{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}}};
  const double half_step = 0.5 * std::pow(10.0, -digits);  // 999,950 at three digits is "1.00 M", not "1000 k"
  for (const auto& [unit, name] : kUnits) {
    if (std::abs(value) < unit * (1 - half_step) && unit > 1) continue;
    const double scaled = value / unit;
    if (unit == 1 && scaled == std::round(scaled)) return decimal_text(scaled, 0);
    const int before = std::abs(scaled) * (1 + half_step) < 10 ? 1 : std::abs(scaled) * (1 + half_step) < 100 ? 2 : 3;
    const std::string number = decimal_text(scaled, std::max(0, digits - before));
    return unit == 1 ? number : number + " " + name;
  }
  return "0";
}

std::string spoken_count(double value) {
  if (std::isfinite(value) && std::abs(value) < 99'950) return count_text(std::llround(value));
  const std::string text = metric_text(value);
  const size_t space = text.find(' ');
  if (space == std::string::npos) return text;
  constexpr std::array<std::pair<char, const char*>, 5> kWords{
      {{'k', "thousand"}, {'M', "million"}, {'G', "billion"}, {'T', "trillion"}, {'P', "quadrillion"}}};
  for (const auto& [unit, word] : kWords) {
    if (text.back() == unit) return text.substr(0, space + 1) + word;
  }
  return text;
}

std::string count_text(int64_t value) {
  std::string text = std::to_string(value);
  const int64_t first = value < 0 ? 1 : 0;
  for (int64_t at = static_cast<int64_t>(text.size()) - 3; at > first; at -= 3)
    text.insert(static_cast<size_t>(at), ",");
  return text;
}

std::string seconds_text(double seconds) {
  if (!std::isfinite(seconds)) return "n/a";
  if (seconds < 9.95) return decimal_text(seconds, 1) + " s";
  const int64_t whole = std::llround(seconds);
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) {
    const std::string rest = whole % 60 == 0 ? "" : " " + std::to_string(whole % 60) + " s";
    return std::to_string(whole / 60) + " min" + rest;
  }
  const int64_t minutes = (whole + 30) / 60;
  const std::string rest = minutes % 60 == 0 ? "" : " " + std::to_string(minutes % 60) + " min";
  return count_text(minutes / 60) + " h" + rest;
}

std::string variant_label(const std::string& variant) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kLabels{{{"dense", "Dense"},
                                                                                   {"dense_2x", "Dense, 2x FLOPs"},
                                                                                   {"dense_4x", "Dense, 4x FLOPs"},
                                                                                   {"moe", "MoE"},
                                                                                   {"moe_token", "MoE, token choice"},
                                                                                   {"peer", "PEER"},
                                                                                   {"ngram", "N-gram memory"},
                                                                                   {"memory", "Memory"},
                                                                                   {"memory_plus", "Memory+"},
                                                                                   {"memory-plus", "Memory+"},
                                                                                   {"memory+", "Memory+"}}};
  for (const auto& [name, label] : kLabels) {
    if (variant == name) return std::string(label);
  }
  return variant.empty() ? "(unnamed)" : variant;
}

std::string relation_label(const std::string& relation) {
  std::string label = relation.empty() ? "(unnamed)" : relation;
  std::replace(label.begin(), label.end(), '_', ' ');
  return label;
}

}  // namespace memlayers::results
