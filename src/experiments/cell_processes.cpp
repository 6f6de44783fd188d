#include "experiments/cell_processes.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/output.h"

extern char** environ;

namespace memlayers::experiments {
namespace {

using base::concat;

constexpr auto kBetweenLooks = std::chrono::milliseconds(50);

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

/// The last line that holds anything, without "memlayers COMMAND: " before it.
std::string last_words(const std::string& text) {
  constexpr std::string_view kProgram = "memlayers ";
  const size_t end = text.find_last_not_of(" \n\r\t");
  if (end == std::string::npos) return {};
  const size_t before = text.find_last_of("\n\r", end);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  const std::string line = text.substr(begin, end + 1 - begin);
  const size_t colon = line.starts_with(kProgram) ? line.find(": ") : std::string::npos;
  return colon == std::string::npos ? line : line.substr(colon + 2);
}

}  // namespace

CellProcesses::~CellProcesses() {
  ask_to_stop();
  for (const Running& one : running_) waitpid(one.process, nullptr, 0);
}

void CellProcesses::start(size_t cell, const std::vector<std::string>& command, const std::filesystem::path& log) {
  base::make_folder(log.parent_path());
  const int descriptor = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) throw base::IoError(log, concat("cannot be written: ", strerror(errno)));
  FileActions actions;
  posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(actions.get(), descriptor, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(actions.get(), descriptor, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  pid_t process = 0;
  const int error = posix_spawn(&process, arguments[0], actions.get(), nullptr, arguments.data(), environ);
  close(descriptor);
  if (error != 0) throw base::Error(concat("a process for a cell cannot be started: ", strerror(error)));
  running_.push_back({cell, process});
}

CellProcesses::Ended CellProcesses::wait() {
  for (;; std::this_thread::sleep_for(kBetweenLooks)) {
    if (base::interrupted() && !asked_to_stop_) ask_to_stop();
    for (auto one = running_.begin(); one != running_.end(); ++one) {
      int status = 0;
      if (waitpid(one->process, &status, WNOHANG) != one->process) continue;
      const size_t cell = one->cell;
      running_.erase(one);
      return {cell, status};
    }
  }
}

void CellProcesses::ask_to_stop() {
  asked_to_stop_ = true;
  for (const Running& one : running_) kill(one.process, SIGTERM);
}

std::string failure_text(int status, const std::filesystem::path& log) {
  if (WIFSIGNALED(status)) {
    return concat("ended by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), "); its log is ",
                  log.string());
  }
  const std::string line = last_words(base::read_text(log));
  return line.empty() ? concat("ended with status ", WEXITSTATUS(status)) : line;
}

}  // namespace memlayers::experiments
