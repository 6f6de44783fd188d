// CUDA's graphs on the emulation: what is put on the stream while a graph is recorded does not run, but is kept, and
// runs at each replay with the pointers and numbers it was recorded with.
#pragma once

#include <functional>
#include <vector>

namespace memlayers::ops::emulation {

using Work = std::function<void()>;

class Graph {
 public:
  void add(Work work) { work_.push_back(std::move(work)); }
  /// In the order of the recording.
  void replay() const {
    for (const Work& work : work_) work();
  }

 private:
  std::vector<Work> work_;
};

/// While it lives, the stream records into `graph`. One at a time.
class Recording {
 public:
  explicit Recording(Graph& graph);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
};

/// The graph that is being recorded, or null.
Graph* recorded_graph();

/// Runs `work` at once, or keeps it where a graph is being recorded.
template <class Callable>
void enqueue(const Callable& work) {
  if (Graph* graph = recorded_graph()) {
    graph->add(work);
  } else {
    work();
  }
}

}  // namespace memlayers::ops::emulation
