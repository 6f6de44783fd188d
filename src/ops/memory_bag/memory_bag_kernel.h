// The CPU kernels of memory_bag over plain pointers, compiled once per instruction set.
#pragma once

#include <cstdint>

namespace memlayers::ops {

inline constexpr int64_t kBagPad = 16;

/// Row is the table's element (uint16_t: bfloat16 bits), T what is accumulated in. All arrays are contiguous.
template <class Row, class T>
struct BagProblem {
  int64_t bag_size = 0;            // M
  int64_t value_dim = 0;           // D
  const Row* table = nullptr;      // [S, D]
  const int64_t* slots = nullptr;  // [N, M]
};

/// Each function handles tokens [first, last).
template <class Row, class T>
struct BagFunctions {
  using Problem = BagProblem<Row, T>;
  /// output [N, D] = the weighted sums; weights [N, M]. `scratch` has room for D + kBagPad numbers.
  void (*forward)(const Problem&, const T* weights, Row* output, T* scratch, int64_t first, int64_t last);
  /// weight_gradient [N, M] = dot products of grad_output [N, D] with the bag's rows, in the order of
  /// column_blocks.h.
  void (*weight_gradient)(const Problem&, const T* grad_output, T* weight_gradient, int64_t first, int64_t last);
};

struct BagKernel {
  BagFunctions<float, float> float32;
  BagFunctions<uint16_t, float> bfloat16;
  BagFunctions<double, double> float64;
};

namespace baseline {
extern const BagKernel kBagKernel;
}
namespace avx2 {
extern const BagKernel kBagKernel;
}
namespace avx512 {
extern const BagKernel kBagKernel;
}

}  // namespace memlayers::ops
