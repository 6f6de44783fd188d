// A thread turns one pair (i, i + D/2) of one head, so neighbors read neighbors.
#include "ops/rotary/rotary_cuda.h"

#include "ops/cuda/device.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kThreads = 256;

template <class Row>
__global__ void __launch_bounds__(kThreads)
    turn(RotaryProblem problem, const Row* __restrict__ x, Row* __restrict__ y, int64_t pairs) {
  const int64_t pair = block_index() * kThreads + thread_index();
  if (pair >= pairs) return;
  using T = decltype(widen(Row()));
  const int64_t half = problem.half, head = pair / half, i = pair % half;
  const int64_t angle = head / problem.heads % problem.length * half + i, first = head * 2 * half + i;
  const T a = widen(x[first]), b = widen(x[first + half]);
  const T c = T(problem.cosine[angle]), s = T(problem.sine[angle]) * T(problem.direction);
  narrow_to(y[first], a * c - b * s);
  narrow_to(y[first + half], b * c + a * s);
}

}  // namespace

template <class Row>
void turn_rows(const RotaryProblem& problem, const Row* x, Row* y, int64_t positions, Stream stream) {
  const int64_t pairs = positions * problem.heads * problem.half;
  launch(turn<Row>, divide_up(pairs, kThreads), kThreads, stream, problem, x, y, pairs);
}

template void turn_rows(const RotaryProblem&, const float*, float*, int64_t, Stream);
template void turn_rows(const RotaryProblem&, const uint16_t*, uint16_t*, int64_t, Stream);
template void turn_rows(const RotaryProblem&, const double*, double*, int64_t, Stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
