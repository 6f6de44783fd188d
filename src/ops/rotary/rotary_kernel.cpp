// Nothing is summed, so there is no order to keep, and the compiler vectorizes plain loops. Halves of heads are short
// (8 to 64 numbers): for the usual ones the loop's length is known to it.
#include "ops/rotary/rotary_kernel.h"

#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

MEMLAYERS_INLINE void put(float* target, float value) { *target = value; }
MEMLAYERS_INLINE void put(double* target, double value) { *target = value; }
MEMLAYERS_INLINE void put(uint16_t* target, float value) { *target = narrow(value); }

/// kHalf 0: known at run time only.
template <int kHalf, class T, class Row>
void turn(const RotaryProblem& problem, const Row* __restrict x, Row* __restrict y, int64_t first, int64_t last) {
  const int64_t half = kHalf > 0 ? kHalf : problem.half, heads = problem.heads;
  const T direction = T(problem.direction);
  int64_t t = first % problem.length;
  for (int64_t position = first; position < last; ++position) {
    const float* __restrict cosine = problem.cosine + t * half;
    const float* __restrict sine = problem.sine + t * half;
    if (++t == problem.length) t = 0;
    for (int64_t head = position * heads; head < (position + 1) * heads; ++head) {
      const Row* in = x + head * 2 * half;
      Row* out = y + head * 2 * half;
      for (int64_t i = 0; i < half; ++i) {
        const T a = widen(in[i]), b = widen(in[half + i]), c = T(cosine[i]), s = T(sine[i]) * direction;
        put(out + i, a * c - b * s);
        put(out + half + i, b * c + a * s);
      }
    }
  }
}

template <class T, class Row>
void rotary(const RotaryProblem& problem, const Row* x, Row* y, int64_t first, int64_t last) {
  switch (problem.half) {
    case 8:
      return turn<8, T>(problem, x, y, first, last);
    case 16:
      return turn<16, T>(problem, x, y, first, last);
    case 32:
      return turn<32, T>(problem, x, y, first, last);
    case 64:
      return turn<64, T>(problem, x, y, first, last);
    default:
      return turn<0, T>(problem, x, y, first, last);
  }
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const RotaryKernel kRotaryKernel = {
    .float32 = rotary<float, float>, .bfloat16 = rotary<float, uint16_t>, .float64 = rotary<double, double>};
}

}  // namespace memlayers::ops
