#include "base/crowding.h"

#include <filesystem>
#include <fstream>

namespace memlayers::base {

double seconds_kept_waiting() {
  std::error_code error;
  double sum = 0;
  for (std::filesystem::directory_iterator task("/proc/self/task", error), end; !error && task != end;
       task.increment(error)) {
    std::ifstream file(task->path() / "schedstat");
    double ran = 0, waited = 0;  // nanoseconds
    if (file >> ran >> waited) sum += waited * 1e-9;
  }
  return sum;
}

}  // namespace memlayers::base
