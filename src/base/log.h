// One place where the program talks: lines on stderr and a progress bar that does not tear them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace memlayers::base {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

/// Level from MEMLAYERS_LOG (error, warning, info, debug); info when unset.
LogLevel log_level();
void log(LogLevel level, const std::string& line);
inline void log_info(const std::string& line) { log(LogLevel::kInfo, line); }
inline void log_warning(const std::string& line) { log(LogLevel::kWarning, line); }

/// Progress of long work: on a terminal one rewritten line (bar, share, rate, time left, note), otherwise a plain
/// line at most every ten seconds and at the end.
///   train  [#######.....] 58%  1.7 M/3.0 M tokens  8.1 k/s  2:41 left  loss 3.21
class Progress {
 public:
  Progress(std::string title, uint64_t total, std::string unit, uint64_t start = 0);
  ~Progress();
  void update(uint64_t done, const std::string& note = {});
  void finish(const std::string& note = {});

 private:
  void print(bool last);
  std::string title_, unit_, note_;
  uint64_t total_, start_, done_;
  bool terminal_, finished_ = false;
  std::chrono::steady_clock::time_point begin_, printed_;
};

/// "1.7 M", "8.1 k", "950" and "2:41", "1:02:05".
std::string human_count(double value);
std::string human_bytes(double bytes);
std::string human_duration(double seconds);

}  // namespace memlayers::base
