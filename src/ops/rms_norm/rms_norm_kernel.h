// The CPU kernels of rms_norm over plain pointers, compiled once per instruction set.
#pragma once

#include <cstdint>

namespace memlayers::ops {

/// Row r of x meets weight row (r / inner) % groups. All arrays are contiguous.
template <class T>
struct RmsProblem {
  int64_t size = 0;                 // D
  int64_t inner = 1, groups = 1;    // R = any; groups rows of weight
  double eps = 0;                   // forward only
  const T* x = nullptr;             // [R, D]
  const T* weight = nullptr;        // [groups, D]
  const T* inverse_root = nullptr;  // [R], backward only
};

/// Rows of a block, whose share of the weight's gradient is summed by itself: 64, a group each at least, and 4,096
/// numbers.
constexpr int64_t rms_block_rows(int64_t size, int64_t groups) {
  const int64_t rows = 4096 / size > 64 ? 4096 / size : 64;
  return rows > groups ? rows : groups;
}

/// Each function handles rows [first, last).
template <class T>
struct RmsFunctions {
  /// y [R, D] and inverse_root [R] = 1 / sqrt(mean(x^2) + eps).
  void (*forward)(const RmsProblem<T>&, T* y, T* inverse_root, int64_t first, int64_t last);
  /// grad_x [R, D] of grad [R, D]; adds these rows' share of the weight's gradient to weight_sum [groups, D] in order.
  void (*backward)(const RmsProblem<T>&, const T* grad, T* grad_x, T* weight_sum, int64_t first, int64_t last);
};

struct RmsKernel {
  RmsFunctions<float> float32;
  RmsFunctions<double> float64;
};

namespace baseline {
extern const RmsKernel kRmsKernel;
}
namespace avx2 {
extern const RmsKernel kRmsKernel;
}
namespace avx512 {
extern const RmsKernel kRmsKernel;
}

}  // namespace memlayers::ops
