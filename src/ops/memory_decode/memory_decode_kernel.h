// The CPU kernels of memory_decode over plain pointers, compiled once per instruction set: what the other ops' kernels
// do not have.
#pragma once

#include <cstdint>

namespace memlayers::ops {

/// A projection whose weight is packed in panels of 32 outputs (product_key_topk_kernel.h's kKeysPerPanel).
struct PanelProjection {
  int64_t in = 0, out = 0;
  const float* panels = nullptr;  // [ceil(out / 32), in, 32]
  const float* bias = nullptr;    // [out]
};

struct DecodeKernel {
  /// y [rows, out] of x [rows, in]; `scratch` has room for x.
  void (*project)(const PanelProjection&, const float* x, int64_t rows, float* y, float* scratch);
  /// Softmax of each row [rows, k] of scores in descending order, in place.
  void (*softmax)(float* scores, int64_t rows, int64_t k);
};

namespace baseline {
extern const DecodeKernel kDecodeKernel;
}
namespace avx2 {
extern const DecodeKernel kDecodeKernel;
}
namespace avx512 {
extern const DecodeKernel kDecodeKernel;
}

}  // namespace memlayers::ops
