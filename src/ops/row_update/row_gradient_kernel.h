// The CPU kernel that sums sorted bag entries into gradient rows, compiled once per instruction set.
#pragma once

#include <cstdint>

namespace memlayers::ops {

/// One bag record; its entries (token, position) are numbered from first_entry on.
template <class T>
struct RecordView {
  const T* weights;      // [N, M]
  const T* grad_output;  // [N, D]
  uint32_t bag_size;     // M, at least 1
  uint32_t first_entry;
};

template <class T>
struct RowSumProblem {
  int64_t value_dim = 0;
  const RecordView<T>* records = nullptr;
  int64_t num_records = 0;
  const uint64_t* sorted = nullptr;     // slot << 32 | entry, ascending
  const int64_t* row_begins = nullptr;  // [U + 1]: where each row's entries begin
};

struct RowGradientKernel {
  /// The gradients of rows [first, last), [last - first, D].
  void (*sum_float32)(const RowSumProblem<float>&, int64_t first, int64_t last, float* values);
  void (*sum_float64)(const RowSumProblem<double>&, int64_t first, int64_t last, double* values);
  /// Adds the squares of values [rows, D] to lanes [column_blocks(D), 16] of float64, row after row.
  void (*add_squares_float32)(const float* values, int64_t value_dim, int64_t rows, double* lanes);
  void (*add_squares_float64)(const double* values, int64_t value_dim, int64_t rows, double* lanes);
  /// sums [blocks] = the lanes of each block added up.
  void (*sum_lanes)(const double* lanes, int64_t blocks, double* sums);
};

namespace baseline {
extern const RowGradientKernel kRowGradientKernel;
}
namespace avx2 {
extern const RowGradientKernel kRowGradientKernel;
}
namespace avx512 {
extern const RowGradientKernel kRowGradientKernel;
}

}  // namespace memlayers::ops
