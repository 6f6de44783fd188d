// The CPU kernels of softmax_cross_entropy over plain pointers, compiled once per instruction set.
#pragma once

#include <cstdint>

namespace memlayers::ops {

/// Each function handles rows [first, last) of contiguous logits [R, V]; targets [R] are inside.
template <class T>
struct CrossEntropyFunctions {
  void (*losses)(const T* logits, const int64_t* targets, int64_t size, T* losses, int64_t first, int64_t last);
  /// Overwrites logits with scale * (softmax - onehot(target)).
  void (*gradient)(T* logits, const int64_t* targets, int64_t size, T scale, T* losses, int64_t first, int64_t last);
  /// y[i] = e^x[i], for the test of its error.
  void (*exponential)(const T* x, T* y, int64_t count);
};

struct CrossEntropyKernel {
  CrossEntropyFunctions<float> float32;
  CrossEntropyFunctions<double> float64;
};

namespace baseline {
extern const CrossEntropyKernel kCrossEntropyKernel;
}
namespace avx2 {
extern const CrossEntropyKernel kCrossEntropyKernel;
}
namespace avx512 {
extern const CrossEntropyKernel kCrossEntropyKernel;
}

}  // namespace memlayers::ops
