#include "ops/cuda/emulated_graph.h"

#include <cassert>

namespace memlayers::ops::emulation {
namespace {

Graph*& current() {
  static Graph* graph = nullptr;
  return graph;
}

}  // namespace

Recording::Recording(Graph& graph) {
  assert(!current());
  current() = &graph;
}
Recording::~Recording() { current() = nullptr; }

Graph* recorded_graph() { return current(); }

}  // namespace memlayers::ops::emulation
