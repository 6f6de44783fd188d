// Whether other processes want the processors that this one's threads run on.
#pragma once

namespace memlayers::base {

/// Seconds that the threads alive in this process have spent ready to run while something else had the processor, all
/// threads together; 0 where the system does not say (Linux does, in /proc/self/task). A thread that ends takes its
/// share along.
double seconds_kept_waiting();

}  // namespace memlayers::base
