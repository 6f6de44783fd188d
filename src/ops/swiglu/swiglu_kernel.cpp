// One pass each way. The backward takes the sigmoid again from the gate: an e^x costs less than to write and read it.
#include "ops/swiglu/swiglu_kernel.h"

#include "ops/simd/lanes_math.h"

namespace memlayers::ops {
namespace {

/// 1 + e^-g.
template <class T>
MEMLAYERS_INLINE Lanes<T> damping(const Lanes<T>& gate) {
  return broadcast(T{1}) + exponential(broadcast(T{0}) - gate);
}

template <class T>
MEMLAYERS_INLINE Lanes<T> activate(const Lanes<T>& gate, const Lanes<T>& up) {
  return gate / damping(gate) * up;
}

template <class T>
struct Gradient {
  Lanes<T> gate, up;
};

/// silu'(g) = s * (1 + g * (1 - s)) with s the sigmoid.
template <class T>
MEMLAYERS_INLINE Gradient<T> differentiate(const Lanes<T>& grad, const Lanes<T>& gate, const Lanes<T>& up) {
  const Lanes<T> one = broadcast(T{1}), sigmoid = one / damping(gate);
  return {grad * up * (sigmoid * (one + gate * (one - sigmoid))), grad * (gate * sigmoid)};
}

template <class T, class Row>
void forward(const Row* gate, const Row* up, Row* y, int64_t first, int64_t last) {
  int64_t i = first;
  for (; i + kLanes <= last; i += kLanes) store(y + i, activate<T>(load(gate + i), load(up + i)));
  if (i < last) {
    store_tail<T>(y + i, activate<T>(load_tail<T>(gate + i, last - i), load_tail<T>(up + i, last - i)), last - i);
  }
}

template <class T, class Row>
void backward(const Row* grad, const Row* gate, const Row* up, Row* grad_gate, Row* grad_up, int64_t first,
              int64_t last) {
  int64_t i = first;
  for (; i + kLanes <= last; i += kLanes) {
    const Gradient<T> result = differentiate<T>(load(grad + i), load(gate + i), load(up + i));
    store(grad_gate + i, result.gate);
    store(grad_up + i, result.up);
  }
  if (i < last) {
    const int64_t rest = last - i;
    const Gradient<T> result =
        differentiate<T>(load_tail<T>(grad + i, rest), load_tail<T>(gate + i, rest), load_tail<T>(up + i, rest));
    store_tail<T>(grad_gate + i, result.gate, rest);
    store_tail<T>(grad_up + i, result.up, rest);
  }
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const SwigluKernel kSwigluKernel = {.float32 = {forward<float, float>, backward<float, float>},
                                    .bfloat16 = {forward<float, uint16_t>, backward<float, uint16_t>},
                                    .float64 = {forward<double, double>, backward<double, double>}};
}

}  // namespace memlayers::ops
