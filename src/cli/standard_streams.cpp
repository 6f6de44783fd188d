#include "cli/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

namespace memlayers::cli {
namespace {

void fill_closed_descriptors() {
  for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    // The lowest free number is the closed one, since those before it are open by now.
    if (::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor) ::_exit(1);
  }
}

// Runs before the initializers of all libraries, some of which open files.
__attribute__((section(".preinit_array"), used)) void (*const fill_first)() = fill_closed_descriptors;

bool is_opened(int descriptor, int other_way) { return (::fcntl(descriptor, F_GETFL) & O_ACCMODE) != other_way; }

}  // namespace

void check_standard_output(bool prints_result) {
  if (is_opened(STDOUT_FILENO, O_RDONLY)) return;
  if (prints_result) throw base::Error("standard output is closed, and the result would be printed there");
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return;
  ::dup2(nowhere, STDOUT_FILENO);
  ::close(nowhere);
}

void check_standard_input(const char* instead) {
  base::check(is_opened(STDIN_FILENO, O_WRONLY), "standard input is closed; ", instead);
}

}  // namespace memlayers::cli
