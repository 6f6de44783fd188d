// The CPU kernels of rotary over plain pointers, compiled once per instruction set.
#pragma once

#include <cstdint>

namespace memlayers::ops {

/// cosine and sine point at the row of the first position.
struct RotaryProblem {
  int64_t length = 0, heads = 0, half = 0;  // T, H, D/2
  const float* cosine = nullptr;            // [T, D/2]
  const float* sine = nullptr;
  float direction = 1;  // -1: turned back
};

/// Row is the element (uint16_t: bfloat16 bits). Handles positions [first, last) of x and y [B * T, H, D].
template <class Row>
using RotaryFunction = void (*)(const RotaryProblem&, const Row* x, Row* y, int64_t first, int64_t last);

struct RotaryKernel {
  RotaryFunction<float> float32;
  RotaryFunction<uint16_t> bfloat16;
  RotaryFunction<double> float64;
};

namespace baseline {
extern const RotaryKernel kRotaryKernel;
}
namespace avx2 {
extern const RotaryKernel kRotaryKernel;
}
namespace avx512 {
extern const RotaryKernel kRotaryKernel;
}

}  // namespace memlayers::ops
