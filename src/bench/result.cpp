#include "bench/result.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/error.h"
#include "base/log.h"

namespace memlayers::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kColumns = 10;
using Row = std::array<std::string, kColumns>;
constexpr std::array<bool, kColumns> kRightAligned = {false, false, false, false, true, false, true, true, true, true};

std::string text(const char* pattern, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, pattern, value);
  return buffer;
}

std::string time_text(double seconds) {
  if (seconds >= 1) return text("%.2f s", seconds);
  if (seconds >= 1e-3) return text("%.2f ms", 1e3 * seconds);
  return text("%.1f us", 1e6 * seconds);
}

/// n=1024 k=32 ...
std::string shape_text(const Json& shape) {
  std::string line;
  for (const auto& [key, value] : shape.items()) {
    const std::string shown = value.is_string() ? value.get<std::string>() : value.dump();
    line += (line.empty() ? "" : " ") + (key == "model" ? shown : key + "=" + shown);
  }
  return line;
}

/// 110 GFLOP/s, 0.85x
std::string utilization_text(const Result& result) {
  return text("%.0f GFLOP/s", result.flops / result.timing.seconds / 1e9) + text(", %.2fx", result.utilization_ratio());
}

std::string rate_text(const Result& result) {
  if (result.more.contains("peak_bytes")) {
    return base::human_bytes(result.more["peak_bytes"].get<double>()) + " of " +
           base::human_bytes(result.more["limit_bytes"].get<double>());
  }
  const double seconds = result.timing.seconds;
  if (result.bytes > 0) return base::human_bytes(double(result.bytes) / seconds) + "/s";
  if (result.utilization_ratio() > 0) return utilization_text(result);
  return result.tokens > 0 ? base::human_count(double(result.tokens) / seconds) + " tokens/s" : "";
}

Row row(const Result& result) {
  const Timing& timing = result.timing;
  const bool compared = !result.against.empty();
  return {result.name,
          shape_text(result.shape),
          result.distribution,
          result.dtype,
          time_text(timing.seconds),
          compared ? result.against : "-",
          compared ? time_text(timing.against_seconds) : "-",
          compared ? text(timing.ratio >= 100 ? "%.0fx" : "%.2fx", timing.ratio) : "-",
          text("%.0f %%", 100 * timing.spread),
          rate_text(result)};
}

}  // namespace

Json to_json(const Result& result) {
  const Timing& timing = result.timing;
  const bool compared = !result.against.empty();
  const auto or_null = [&](const auto& value) { return compared ? Json(value) : Json(nullptr); };
  Json line = {{"name", result.name},
               {"shape", result.shape},
               {"distribution", result.distribution},
               {"dtype", result.dtype},
               {"threads", result.threads},
               {"seconds", timing.seconds},
               {"against", or_null(result.against)},
               {"against_seconds", or_null(timing.against_seconds)},
               {"ratio", or_null(timing.ratio)},
               {"runs", timing.runs},
               {"spread", timing.spread}};
  if (result.flops > 0) line["flops_per_second"] = result.flops / timing.seconds;
  if (result.utilization_ratio() > 0) {
    line["against_flops_per_second"] = result.against_flops / timing.against_seconds;
    line["utilization_ratio"] = result.utilization_ratio();
  }
  for (const auto& [unit, count] : {std::pair{"tokens", result.tokens}, {"bytes", result.bytes}}) {
    if (count == 0) continue;
    line[base::concat(unit, "_per_second")] = double(count) / timing.seconds;
    if (compared) line[base::concat("against_", unit, "_per_second")] = double(count) / timing.against_seconds;
  }
  if (result.more.is_object()) line.update(result.more);
  return line;
}

std::string table(const std::vector<Result>& results) {
  std::vector<Row> rows = {
      {"name", "shape", "distribution", "dtype", "ours", "against", "theirs", "ratio", "spread", "rate"}};
  for (const Result& result : results) rows.push_back(row(result));
  std::array<size_t, kColumns> widths = {};
  for (const Row& cells : rows) {
    for (size_t c = 0; c < kColumns; ++c) widths[c] = std::max(widths[c], cells[c].size());
  }
  std::string lines;
  for (const Row& cells : rows) {
    std::string line;
    for (size_t c = 0; c < kColumns; ++c) {
      const std::string space(widths[c] - cells[c].size(), ' ');
      line += (c == 0 ? "" : "  ") + (kRightAligned[c] ? space + cells[c] : cells[c] + space);
    }
    lines += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return lines;
}

}  // namespace memlayers::bench
