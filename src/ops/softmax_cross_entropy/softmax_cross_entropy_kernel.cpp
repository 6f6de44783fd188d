// Three passes over a row, which stays in the cache meanwhile: its largest logit; e^(x - largest), kept, and their sum;
// the quotient. The largest is subtracted in any case, so nothing overflows and the sum is at least 1.
#include "ops/softmax_cross_entropy/softmax_cross_entropy_kernel.h"

#include "ops/simd/lanes_math.h"

namespace memlayers::ops {
namespace {

constexpr int kChains = 4;  // so many comparisons are under way at a time

template <class T>
T largest_of(const T* row, int64_t size) {
  T result = row[0];
  if (size < kLanes) {
    for (int64_t i = 1; i < size; ++i) result = row[i] > result ? row[i] : result;
    return result;
  }
  Lanes<T> chain[kChains];
  for (auto& lanes : chain) lanes = load(row);
  int64_t i = 0;
  for (; i + kChains * kLanes <= size; i += kChains * kLanes) {
    for (int c = 0; c < kChains; ++c) chain[c] = larger(chain[c], load(row + i + c * kLanes));
  }
  for (; i + kLanes <= size; i += kLanes) chain[0] = larger(chain[0], load(row + i));
  chain[1] = larger(chain[1], load(row + size - kLanes));  // the rest, and a few again
  T lane[kLanes];
  store(lane, larger(larger(chain[0], chain[1]), larger(chain[2], chain[3])));
  for (T value : lane) result = value > result ? value : result;
  return result;
}

template <class T>
T loss_of(T largest, T sum, T chosen) {
  return T(logarithm(double(sum)) + (double(largest) - double(chosen)));
}

template <class T>
void losses_of(const T* logits, const int64_t* targets, int64_t size, T* losses, int64_t first, int64_t last) {
  for (int64_t r = first; r < last; ++r) {
    const T* row = logits + r * size;
    const T largest = largest_of(row, size);
    losses[r] = loss_of(largest, exponential_sum<false, T>(row, size, largest), row[targets[r]]);
  }
}

template <class T>
void gradient(T* logits, const int64_t* targets, int64_t size, T scale, T* losses, int64_t first, int64_t last) {
  for (int64_t r = first; r < last; ++r) {
    T* row = logits + r * size;
    const T chosen = row[targets[r]], largest = largest_of(row, size);
    const T total = exponential_sum<true, T>(row, size, largest);
    losses[r] = loss_of(largest, total, chosen);
    // Before the rounding to `scale`: one minus a probability near one would lose its digits.
    const T at_target = (row[targets[r]] / total - 1) * scale;
    const T factor = scale / total;
    const Lanes<T> factors = broadcast(factor);
    int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) store(row + i, load(row + i) * factors);
    for (; i < size; ++i) row[i] *= factor;
    row[targets[r]] = at_target;
  }
}

template <class T>
void exponentials(const T* x, T* y, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(y + i, exponential(load(x + i)));
  for (; i < count; ++i) y[i] = exponential(x[i]);
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const CrossEntropyKernel kCrossEntropyKernel = {.float32 = {losses_of<float>, gradient<float>, exponentials<float>},
                                                .float64 = {losses_of<double>, gradient<double>, exponentials<double>}};
}

}  // namespace memlayers::ops
