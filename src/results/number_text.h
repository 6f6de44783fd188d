// Numbers and text as the report's page and terminal table show them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace memlayers::results {

/// `text` for HTML, XHTML and SVG, in text or in a quoted attribute: markup characters become entities, bytes that are
/// no UTF-8 become U+FFFD, and control characters, which XML forbids, are dropped.
std::string escape_markup(std::string_view text);

/// Columns `text` takes on a terminal, counting one a UTF-8 character.
size_t display_width(std::string_view text);

/// "0.125" -> "12.5%". A value that is not finite is "n/a", here and below.
std::string percent_text(double share, int decimals = 1);
/// A difference of two shares in percentage points, without its sign: 0.231 -> "23.1".
std::string points_text(double difference);
/// `digits` significant digits with a metric suffix: 3034112 -> "3.03 M", 8123 -> "8.12 k", 41 -> "41".
std::string metric_text(double value, int digits = 3);
/// The same in words: "3.03 million", "8,123".
std::string spoken_count(double value);
/// All digits, grouped: 14034 -> "14,034".
std::string count_text(int64_t value);
/// `decimals` places: 0.5 -> "0.50".
std::string decimal_text(double value, int decimals);
/// "45 s", "6 min 40 s", "2 h 5 min".
std::string seconds_text(double seconds);

/// The name people use for a variant: "dense" -> "Dense", "memory_plus" -> "Memory+"; an unknown name stays as it is.
std::string variant_label(const std::string& variant);
/// "country_alpha_2" -> "country alpha 2".
std::string relation_label(const std::string& relation);

}  // namespace memlayers::results
