// SIGINT and SIGTERM as a flag that long work asks between steps.
#pragma once

namespace memlayers::base {

/// Installs the handlers once. A second signal of either kind, some two seconds later or more, ends
/// the process at once.
void watch_for_interrupt();
bool interrupted();
/// For tests: sets or clears the flag as a signal would.
void set_interrupted(bool value);

}  // namespace memlayers::base
