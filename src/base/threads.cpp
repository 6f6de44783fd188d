#include "base/threads.h"

#include <atomic>

#include "base/cpu.h"
#include "base/error.h"
#include "base/log.h"

namespace memlayers::base {

int useful_threads(int64_t wanted) {
  const int most = core_count();
  if (wanted <= most) return int(wanted);
  static std::atomic<int64_t> warned = 0;  // once, however many runs ask for as many
  if (warned.exchange(wanted) != wanted) {
    log_warning(concat(wanted, " threads were asked for, but this process may use ", most,
                       most == 1 ? " processor: 1 is" : concat(" processors: ", most, " are"),
                       " used, since more would only wait for each other"));
  }
  return most;
}

}  // namespace memlayers::base
