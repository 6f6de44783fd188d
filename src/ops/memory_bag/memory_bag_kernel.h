// The CPU kernels of memory_bag over plain pointers, compiled once per instruction set.
#pragma once

#include <cstdint>
#include <type_traits>

namespace memlayers::ops {

inline constexpr int64_t kBagPad = 16;

/// Thirty-two columns of four-bit codes in two's complement: those of the first sixteen in the lower halves of the
/// bytes, of the others in the upper ones. So sixteen neighbors are unpacked with one shift.
struct HalfBytes {
  static constexpr int64_t kColumns = 32;
  uint8_t byte[16];
};

/// Whether a table is of codes, which a scale of each row multiplies.
template <class Row>
inline constexpr bool kIsCode = false;
template <>
inline constexpr bool kIsCode<int8_t> = true;
template <>
inline constexpr bool kIsCode<HalfBytes> = true;

/// Row is the table's element: uint16_t are bfloat16 bits, int8_t and HalfBytes codes (the last HalfBytes of a row are
/// filled up with zeros). T is what is accumulated in. All arrays are contiguous.
template <class Row, class T>
struct BagProblem {
  using Output = std::conditional_t<kIsCode<Row>, T, Row>;

  int64_t bag_size = 0;            // M
  int64_t value_dim = 0;           // D
  const Row* table = nullptr;      // [S, row_length()]
  const int64_t* slots = nullptr;  // [N, M]
  const float* scales = nullptr;   // [S], of codes

  constexpr int64_t row_length() const {
    return std::is_same_v<Row, HalfBytes> ? (value_dim + HalfBytes::kColumns - 1) / HalfBytes::kColumns : value_dim;
  }
};

/// Each function handles tokens [first, last).
template <class Row, class T>
struct BagFunctions {
  using Problem = BagProblem<Row, T>;
  /// output [N, D] = the weighted sums; weights [N, M]. `scratch` has room for D + kBagPad numbers.
  void (*forward)(const Problem&, const T* weights, typename Problem::Output* output, T* scratch, int64_t first,
                  int64_t last);
  /// weight_gradient [N, M] = dot products of grad_output [N, D] with the bag's rows, in the order of
  /// column_blocks.h.
  void (*weight_gradient)(const Problem&, const T* grad_output, T* weight_gradient, int64_t first, int64_t last);
};

struct BagKernel {
  BagFunctions<float, float> float32;
  BagFunctions<uint16_t, float> bfloat16;
  BagFunctions<double, double> float64;
  BagFunctions<int8_t, float> int8;
  BagFunctions<HalfBytes, float> int4;
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
