#include "report/charts/svg_frame.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

/// The round step that cuts [low, high] into about `count` parts.
double nice_step(double low, double high, int count) {
  const double rough = (high - low) / std::max(1, count);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double leading = rough / power;
  return power * (leading < 1.5 ? 1 : leading < 3.5 ? 2 : leading < 7.5 ? 5 : 10);
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int count) {
  if (!std::isfinite(low) || !std::isfinite(high) || high <= low) return {};
  const double step = nice_step(low, high, count);
  const double first = std::ceil(low / step - 1e-9);
  std::vector<double> ticks;
  for (int i = 0; i < 1000; ++i) {
    const double tick = (first + i) * step;
    if (tick > high + step * 1e-9) break;
    ticks.push_back(tick);
  }
  return ticks;
}

std::vector<double> log_ticks(double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high) || low <= 0 || high <= low) return {};
  const double bottom = low * (1 - 1e-9), top = high * (1 + 1e-9);
  const int first = static_cast<int>(std::floor(std::log10(bottom))),
            last = static_cast<int>(std::ceil(std::log10(top)));
  std::vector<double> powers, all;
  for (int exponent = first; exponent <= last; ++exponent) {
    for (const int factor : {1, 2, 5}) {
      const double tick = factor * std::pow(10.0, exponent);
      if (tick < bottom || tick > top) continue;
      all.push_back(tick);
      if (factor == 1) powers.push_back(tick);
    }
  }
  return powers.size() < 3 ? all : powers;
}

}  // namespace memlayers::report

namespace memlayers::report::svg {

std::string coordinate(double value) {
  std::string text = results::decimal_text(value, 1);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

// In DejaVu Sans, the widest of the common system fonts. Characters outside ASCII count as wide letters.
double text_width(std::string_view text) {
  double width = 0;  // in text sizes
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) == 0x80) continue;  // inside a character
    if (std::string_view(" .,:;'!|()[]ijlft-").find(c) != std::string_view::npos) {
      width += 0.4;
    } else if (std::string_view("%MWmw@").find(c) != std::string_view::npos) {
      width += 0.98;
    } else {
      width += c >= 'A' && c <= 'Z' ? 0.72 : static_cast<unsigned char>(c) >= 0x80 ? 0.75 : 0.635;
    }
  }
  return kTextSize * width;
}

double bold_width(std::string_view text) { return 1.12 * text_width(text); }

std::string fitted(const std::string& text, double width) {
  if (text_width(text) <= width) return text;
  std::string cut;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts_character = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts_character && text_width(cut) + text_width("xx") > width) break;
    cut += text[i];
  }
  return cut + "…";
}

double Scale::operator()(double value) const {
  const double share = logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  return start + share * (end - start);
}

std::string tick_text(const ChartAxis& axis, double value) {
  if (axis.text) return axis.text(value);
  std::string text = results::decimal_text(value, 6);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::vector<double> axis_ticks(const ChartAxis& axis, double low, double high) {
  return axis.logarithmic ? log_ticks(low, high) : nice_ticks(low, high, 5);
}

std::pair<double, double> widened_to_ticks(const ChartAxis& axis, double low, double high) {
  if (axis.logarithmic) {
    if (high <= low) return {low / 2, high * 2};
    return {low, high};
  }
  if (high <= low) {
    const double margin = low == 0 ? 1 : std::abs(low) / 2;
    if (!axis.low) low -= margin;
    high += margin;
  }
  const double step = nice_step(low, high, 5);
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step};
}

std::string text_element(double x, double y, std::string_view anchor, std::string_view style, std::string_view text) {
  return base::concat("<text x=\"", coordinate(x), "\" y=\"", coordinate(y), "\" text-anchor=\"", anchor, "\" class=\"",
                      style, "\">", results::escape_markup(text), "</text>");
}

std::string line_element(double x1, double y1, double x2, double y2, std::string_view style) {
  return base::concat("<line x1=\"", coordinate(x1), "\" y1=\"", coordinate(y1), "\" x2=\"", coordinate(x2), "\" y2=\"",
                      coordinate(y2), "\" class=\"", style, "\"/>");
}

std::string color_variable(int color) {
  return color == kMutedColor ? "var(--muted)" : base::concat("var(--series-", color % kChartColors, ")");
}

std::string line_class(int dash) { return dash == 0 ? "line" : base::concat("line dash-", dash % 4); }

std::string marker(double x, double y, int color, const std::string& note) {
  const auto at = [&](double dx, double dy) { return coordinate(x + dx) + "," + coordinate(y + dy) + " "; };
  std::string shape;
  switch (color % 4) {
    case 0:
      shape = at(-3.5, -3.5) + at(3.5, -3.5) + at(3.5, 3.5) + at(-3.5, 3.5);
      break;
    case 2:
      shape = at(0, -4.8) + at(4.6, 3.6) + at(-4.6, 3.6);
      break;
    case 3:
      shape = at(0, -5) + at(5, 0) + at(0, 5) + at(-5, 0);
      break;
    default:
      break;
  }
  const std::string title = note.empty() ? "" : "<title>" + results::escape_markup(note) + "</title>";
  // Shapes repeat after four series; the second four are hollow.
  const std::string paint =
      base::concat(color >= 4 && color < kChartColors ? "fill:var(--card);stroke-width:1.8;stroke:" : "fill:",
                   color_variable(color));
  const std::string style = base::concat(" class=\"marker\" style=\"", paint, "\">", title);
  if (shape.empty()) {
    return base::concat("<circle cx=\"", coordinate(x), "\" cy=\"", coordinate(y), "\" r=\"4\"", style, "</circle>");
  }
  shape.pop_back();
  return base::concat("<polygon points=\"", shape, "\"", style, "</polygon>");
}

Legend legend(const std::vector<LegendEntry>& entries, double left) {
  constexpr double kSwatch = 24, kGap = 18;
  Legend result;
  double x = left, y = kLegendRow / 2;
  for (const LegendEntry& entry : entries) {
    const std::string name = fitted(entry.name, kChartWidth - left - kSwatch - 8);
    const double width = kSwatch + text_width(name);
    if (x > left && x + width > kChartWidth) {
      x = left;
      y += kLegendRow;
    }
    const std::string stroke = base::concat("stroke:", color_variable(entry.color));
    if (entry.line) {
      result.markup +=
          base::concat("<line x1=\"", coordinate(x), "\" y1=\"", coordinate(y), "\" x2=\"", coordinate(x + 18),
                       "\" y2=\"", coordinate(y), "\" class=\"", line_class(entry.dash), "\" style=\"", stroke, "\"/>");
      if (entry.marker) result.markup += marker(x + 9, y, entry.color);
    } else {
      result.markup += base::concat("<rect x=\"", coordinate(x + 4), "\" y=\"", coordinate(y - 6),
                                    "\" width=\"12\" height=\"12\" style=\"fill:", color_variable(entry.color), "\"/>");
    }
    result.markup += text_element(x + kSwatch, y + 4.5, "start", "name", name);
    x += width + kGap;
  }
  result.height = entries.empty() ? 0 : y + kLegendRow / 2 + 4;
  return result;
}

std::string row_label(const std::string& name, double right, double middle) {
  const auto text = [&](double y, const std::string& part) {
    return text_element(right, y + 4.5, "end", "name", fitted(part, kWidestLabel));
  };
  size_t space = std::string::npos;
  for (size_t at = name.find(' '); at != std::string::npos; at = name.find(' ', at + 1)) {
    if (text_width(name.substr(0, at)) <= kWidestLabel) space = at;
  }
  if (text_width(name) <= kWidestLabel || space == std::string::npos) return text(middle, name);
  return text(middle - kLabelLine / 2, name.substr(0, space)) + text(middle + kLabelLine / 2, name.substr(space + 1));
}

std::string value_axis(const ChartAxis& axis, const Scale& scale, double top, double bottom) {
  std::string out;
  for (const double tick : axis_ticks(axis, 0, scale.high)) {
    const double x = scale(tick);
    out += line_element(x, top, x, bottom, tick == 0 ? "axis" : "grid");
    out += text_element(x, bottom + 16, "middle", "tick", tick_text(axis, tick));
  }
  out += text_element((scale.start + scale.end) / 2, bottom + 36, "middle", "muted", axis.label);
  return out;
}

std::string frame(const std::string& id, const std::string& title, const std::string& description, double height,
                  const std::string& body) {
  const std::string name = results::escape_markup(id);
  return base::concat("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" viewBox=\"0 0 ",
                      coordinate(kChartWidth), " ", coordinate(height), "\" aria-labelledby=\"", name, "-title ", name,
                      "-desc\"><title id=\"", name, "-title\">", results::escape_markup(title), "</title><desc id=\"",
                      name, "-desc\">", results::escape_markup(description), "</desc>", body, "</svg>\n");
}

std::string no_data(const std::string& id, const std::string& title, const std::string& description) {
  return frame(id, title, description, 80, text_element(kChartWidth / 2, 44, "middle", "muted", "no data"));
}

}  // namespace memlayers::report::svg
