// Rows go in batches of sixteen: their sums wait in an array, so that the roots and quotients, slow one by one, are
// taken by vectors. Rows may be as short as sixteen numbers, so nothing divides or calls once a row.
#include "ops/rms_norm/rms_norm_kernel.h"

#include <algorithm>
#include <cmath>

#include "ops/simd/lanes_math.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kBatch = 16;

/// The weight row of consecutive rows.
template <class T>
class WeightRow {
 public:
  WeightRow(const RmsProblem<T>& problem, int64_t row)
      : problem_(problem), group_(row / problem.inner % problem.groups), left_(problem.inner - row % problem.inner) {}

  int64_t offset() const { return group_ * problem_.size; }
  void next() {
    if (--left_ > 0) return;
    left_ = problem_.inner;
    if (++group_ == problem_.groups) group_ = 0;
  }

 private:
  const RmsProblem<T>& problem_;
  int64_t group_, left_;
};

template <class T>
MEMLAYERS_INLINE T sum_of_squares(const T* row, int64_t size) {
  Lanes<T> total = broadcast(T{0});
  int64_t column = 0;
  for (; column + kLanes <= size; column += kLanes) {
    const Lanes<T> x = load(row + column);
    total = total + x * x;
  }
  if (column < size) {
    const Lanes<T> x = load_tail<T>(row + column, size - column);
    total = total + x * x;
  }
  return sum(total);
}

template <class T>
void forward(const RmsProblem<T>& problem, T* y, T* inverse_root, int64_t first, int64_t last) {
  const int64_t size = problem.size;
  const T count = T(size), eps = T(problem.eps);
  WeightRow<T> weight_row(problem, first);
  for (int64_t begin = first; begin < last; begin += kBatch) {
    const int64_t rows = std::min(kBatch, last - begin);
    T root[kBatch] = {};
    for (int64_t i = 0; i < rows; ++i) root[i] = sum_of_squares(problem.x + (begin + i) * size, size);
    for (int64_t i = 0; i < kBatch; ++i) root[i] = T(1) / std::sqrt(root[i] / count + eps);
    for (int64_t i = 0; i < rows; ++i, weight_row.next()) {
      const T* row = problem.x + (begin + i) * size;
      const T* weight = problem.weight + weight_row.offset();
      T* out = y + (begin + i) * size;
      const Lanes<T> scale = broadcast(root[i]);
      inverse_root[begin + i] = root[i];
      int64_t column = 0;
      for (; column + kLanes <= size; column += kLanes) {
        store(out + column, load(row + column) * scale * load(weight + column));
      }
      for (; column < size; ++column) out[column] = row[column] * root[i] * weight[column];
    }
  }
}

/// The dot product of grad * weight with x.
template <class T>
MEMLAYERS_INLINE T projection(const T* grad, const T* weight, const T* x, int64_t size) {
  Lanes<T> total = broadcast(T{0});
  int64_t column = 0;
  for (; column + kLanes <= size; column += kLanes) {
    total = total + load(grad + column) * load(weight + column) * load(x + column);
  }
  if (column < size) {
    const int64_t rest = size - column;
    total = total +
            load_tail<T>(grad + column, rest) * load_tail<T>(weight + column, rest) * load_tail<T>(x + column, rest);
  }
  return sum(total);
}

// grad_x = root * (grad * weight - x * projection * root^2 / D)
template <class T>
void backward(const RmsProblem<T>& problem, const T* grad, T* grad_x, T* weight_sum, int64_t first, int64_t last) {
  const int64_t size = problem.size;
  const T share = T(1) / T(size);
  WeightRow<T> weight_row(problem, first);
  for (int64_t r = first; r < last; ++r, weight_row.next()) {
    const T *x = problem.x + r * size, *g = grad + r * size;
    const T* weight = problem.weight + weight_row.offset();
    T *out = grad_x + r * size, *weight_total = weight_sum + weight_row.offset();
    const T root = problem.inverse_root[r];
    const T pull = projection(g, weight, x, size) * root * root * share;
    const Lanes<T> roots = broadcast(root), pulls = broadcast(pull);
    int64_t column = 0;
    for (; column + kLanes <= size; column += kLanes) {
      const Lanes<T> xs = load(x + column), gs = load(g + column);
      store(out + column, roots * (gs * load(weight + column) - xs * pulls));
      store(weight_total + column, load(weight_total + column) + gs * (xs * roots));
    }
    for (; column < size; ++column) {
      out[column] = root * (g[column] * weight[column] - x[column] * pull);
      weight_total[column] += g[column] * (x[column] * root);
    }
  }
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const RmsKernel kRmsKernel = {.float32 = {forward<float>, backward<float>},
                              .float64 = {forward<double>, backward<double>}};
}

}  // namespace memlayers::ops
