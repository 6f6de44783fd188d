// The CPU kernels of swiglu over plain pointers, compiled once per instruction set.
#pragma once

#include <cstdint>

namespace memlayers::ops {

/// Row is the element (uint16_t: bfloat16 bits). Each function handles elements [first, last).
template <class Row>
struct SwigluFunctions {
  void (*forward)(const Row* gate, const Row* up, Row* y, int64_t first, int64_t last);
  void (*backward)(const Row* grad, const Row* gate, const Row* up, Row* grad_gate, Row* grad_up, int64_t first,
                   int64_t last);
};

struct SwigluKernel {
  SwigluFunctions<float> float32;
  SwigluFunctions<uint16_t> bfloat16;
  SwigluFunctions<double> float64;
};

namespace baseline {
extern const SwigluKernel kSwigluKernel;
}
namespace avx2 {
extern const SwigluKernel kSwigluKernel;
}
namespace avx512 {
extern const SwigluKernel kSwigluKernel;
}

}  // namespace memlayers::ops
