// Cells side by side, each in a process of its own: `--jobs` of compare and experiment.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace memlayers::experiments {

/// At most `jobs` processes at a time. What still runs when this goes is asked to save and stop, and waited for.
class CellProcesses {
 public:
  struct Ended {
    size_t cell;
    int status;  // as waitpid gives it
  };

  explicit CellProcesses(size_t jobs) : jobs_(jobs) {}
  ~CellProcesses();
  CellProcesses(const CellProcesses&) = delete;
  CellProcesses& operator=(const CellProcesses&) = delete;

  bool full() const { return running_.size() >= jobs_; }
  bool empty() const { return running_.empty(); }
  /// Starts `command` (a program's path and its arguments) without an input; what it prints is added to `log`. Throws
  /// IoError: the log cannot be written; Error: the program cannot be started.
  void start(size_t cell, const std::vector<std::string>& command, const std::filesystem::path& log);
  /// Waits for the next to end. From the moment this process is asked to stop on (base::interrupted), so is each of
  /// them, once.
  Ended wait();

 private:
  struct Running {
    size_t cell;
    pid_t process;
  };
  void ask_to_stop();

  size_t jobs_;
  bool asked_to_stop_ = false;
  std::vector<Running> running_;
};

/// Why a process of that wait status failed: the last line of its log, or the signal that ended it.
std::string failure_text(int status, const std::filesystem::path& log);

}  // namespace memlayers::experiments
