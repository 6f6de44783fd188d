#include "base/log.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include <sys/ioctl.h>
#include <unistd.h>

namespace memlayers::base {
namespace {

constexpr auto kTerminalInterval = std::chrono::milliseconds(200);
constexpr auto kPlainInterval = std::chrono::seconds(10);
constexpr int kBarCells = 24;

// Guards stderr and the bar that stands on its last line, if any.
std::mutex mutex;
bool bar_is_open = false;

void clear_bar() {
  if (!bar_is_open) return;
  std::fputs("\r\x1b[K", stderr);
  bar_is_open = false;
}

int terminal_columns() {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

std::string scaled(double value, double unit, const char* const* names, int count) {
  int step = 0;
  while (step + 1 < count && std::abs(value) >= 0.9995 * unit) {
    value /= unit;
    ++step;
  }
  const bool integral = step == 0 && value == std::floor(value);
  return format(integral || std::abs(value) >= 99.95 ? "%.0f" : "%.1f", value) + names[step];
}

}  // namespace

LogLevel log_level() {
  static const LogLevel level = [] {
    const char* name = std::getenv("MEMLAYERS_LOG");
    const std::string text = name ? name : "";
    if (text == "error") return LogLevel::kError;
    if (text == "warning") return LogLevel::kWarning;
    if (text == "debug") return LogLevel::kDebug;
    return LogLevel::kInfo;
  }();
  return level;
}

void log(LogLevel level, const std::string& line) {
  if (level > log_level()) return;
  const char* prefix = level == LogLevel::kError ? "error: " : level == LogLevel::kWarning ? "warning: " : "";
  const std::lock_guard lock(mutex);
  clear_bar();
  std::fprintf(stderr, "%s%s\n", prefix, line.c_str());
}

Progress::Progress(std::string title, uint64_t total, std::string unit, uint64_t start)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      start_(start),
      done_(start),
      terminal_(isatty(STDERR_FILENO) != 0),
      begin_(std::chrono::steady_clock::now()),
      printed_(begin_) {}

Progress::~Progress() {
  if (finished_) return;
  const std::lock_guard lock(mutex);
  if (bar_is_open) {  // left early (an error, an interrupt): the last state stays readable
    std::fputc('\n', stderr);
    bar_is_open = false;
  }
}

void Progress::update(uint64_t done, const std::string& note) {
  done_ = done;
  note_ = note;
  const auto now = std::chrono::steady_clock::now();
  if (terminal_ ? now - printed_ < kTerminalInterval : now - printed_ < kPlainInterval) return;
  printed_ = now;
  print(false);
}

void Progress::finish(const std::string& note) {
  if (finished_) return;
  done_ = std::max(done_, total_);
  if (!note.empty()) note_ = note;
  print(true);
  finished_ = true;
}

void Progress::print(bool last) {
  if (log_level() < LogLevel::kInfo) return;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  const double rate = seconds > 0 ? double(done_ - start_) / seconds : 0;
  const double share = total_ ? std::min(1.0, double(done_) / double(total_)) : 1.0;
  std::string line = title_ + "  ";
  if (terminal_) {
    const int filled = int(share * kBarCells);
    line += "[" + std::string(size_t(filled), '#') + std::string(size_t(kBarCells - filled), '.') + "] ";
  }
  line += format("%.0f%%", 100 * share) + "  " + human_count(double(done_)) + "/" + human_count(double(total_)) + " " +
          unit_;
  if (rate > 0) line += "  " + human_count(rate) + "/s";
  if (last) {
    line += "  took " + human_duration(seconds);
  } else if (rate > 0 && total_ > done_) {
    line += "  " + human_duration(double(total_ - done_) / rate) + " left";
  }
  if (!note_.empty()) line += "  " + note_;
  const std::lock_guard lock(mutex);
  if (!terminal_) {
    std::fprintf(stderr, "%s\n", line.c_str());
    return;
  }
  // A line wider than the terminal would wrap, and then could not be rewritten.
  if (!last) line = line.substr(0, size_t(terminal_columns() - 1));
  std::fprintf(stderr, "\r\x1b[K%s%s", line.c_str(), last ? "\n" : "");
  bar_is_open = !last;
}

std::string human_count(double value) {
  static const char* const names[] = {"", " k", " M", " B", " T"};
  return scaled(value, 1000, names, 5);
}

std::string human_bytes(double bytes) {
  static const char* const names[] = {" B", " KiB", " MiB", " GiB", " TiB"};
  return scaled(bytes, 1024, names, 5);
}

std::string human_duration(double seconds) {
  const long long whole = std::llround(std::max(0.0, seconds));
  char text[64];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  }
  return text;
}

}  // namespace memlayers::base
