// A thread takes sixteen bytes of each operand, or a single number where those would not be aligned.
#include "ops/swiglu/swiglu_cuda.h"

#include "ops/cuda/device.h"
#include "ops/simd/scalar_math.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kThreads = 256;

/// 1 + e^-g.
template <class T>
__device__ __forceinline__ T damping(T gate) {
  return T(1) + exponential(T(0) - gate);
}

template <int pack, class Row>
__global__ void __launch_bounds__(kThreads)
    forward(const Row* __restrict__ gate, const Row* __restrict__ up, Row* __restrict__ y, int64_t packs) {
  const int64_t i = block_index() * kThreads + thread_index();
  if (i >= packs) return;
  const auto gates = load_pack<pack>(gate + i * pack), ups = load_pack<pack>(up + i * pack);
  Pack<Row, pack> result;
#pragma unroll
  for (int c = 0; c < pack; ++c) {
    const auto g = widen(gates.at[c]), u = widen(ups.at[c]);
    narrow_to(result.at[c], g / damping(g) * u);
  }
  store_pack(y + i * pack, result);
}

/// silu'(g) = s * (1 + g * (1 - s)) with s the sigmoid.
template <int pack, class Row>
__global__ void __launch_bounds__(kThreads)
    backward(const Row* __restrict__ grad, const Row* __restrict__ gate, const Row* __restrict__ up,
             Row* __restrict__ grad_gate, Row* __restrict__ grad_up, int64_t packs) {
  const int64_t i = block_index() * kThreads + thread_index();
  if (i >= packs) return;
  const auto grads = load_pack<pack>(grad + i * pack), gates = load_pack<pack>(gate + i * pack),
             ups = load_pack<pack>(up + i * pack);
  Pack<Row, pack> of_gate, of_up;
#pragma unroll
  for (int c = 0; c < pack; ++c) {
    const auto d = widen(grads.at[c]), g = widen(gates.at[c]), u = widen(ups.at[c]);
    const auto one = decltype(d + g)(1), sigmoid = one / damping(g);
    narrow_to(of_gate.at[c], d * u * (sigmoid * (one + g * (one - sigmoid))));
    narrow_to(of_up.at[c], d * (g * sigmoid));
  }
  store_pack(grad_gate + i * pack, of_gate);
  store_pack(grad_up + i * pack, of_up);
}

/// Calls body(pack) with 16 / sizeof(Row) where all pointers are aligned and whole packs cover the count, else with 1.
template <class Row, class Body, class... Pointers>
void with_pack(int64_t count, const Body& body, const Pointers*... pointers) {
  constexpr int kPack = 16 / int(sizeof(Row));
  if ((packs_fit(pointers, count) && ...)) {
    body(std::integral_constant<int, kPack>());
  } else {
    body(std::integral_constant<int, 1>());
  }
}

}  // namespace

template <class Row>
void swiglu_forward(const Row* gate, const Row* up, Row* y, int64_t count, Stream stream) {
  const auto run = [&]<int pack>(std::integral_constant<int, pack>) {
    launch(forward<pack, Row>, divide_up(count / pack, kThreads), kThreads, stream, gate, up, y, count / pack);
  };
  with_pack<Row>(count, run, gate, up, y);
}

template <class Row>
void swiglu_backward(const Row* grad, const Row* gate, const Row* up, Row* grad_gate, Row* grad_up, int64_t count,
                     Stream stream) {
  const auto run = [&]<int pack>(std::integral_constant<int, pack>) {
    launch(backward<pack, Row>, divide_up(count / pack, kThreads), kThreads, stream, grad, gate, up, grad_gate, grad_up,
           count / pack);
  };
  with_pack<Row>(count, run, grad, gate, up, grad_gate, grad_up);
}

#define MEMLAYERS_SWIGLU(Row)                                                  \
  template void swiglu_forward(const Row*, const Row*, Row*, int64_t, Stream); \
  template void swiglu_backward(const Row*, const Row*, const Row*, Row*, Row*, int64_t, Stream)
MEMLAYERS_SWIGLU(float);
MEMLAYERS_SWIGLU(uint16_t);
MEMLAYERS_SWIGLU(double);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
