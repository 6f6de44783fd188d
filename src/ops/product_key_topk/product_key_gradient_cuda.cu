// The gradients of selection. Products and sums are rounded one by one, as in the CPU kernels.
#include "ops/cuda/device.h"
#include "ops/product_key_topk/product_key_topk_cuda.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kGradientThreads = 128, kNumberThreads = 256;

/// One block one token's head: a thread owns some of its 2 * dim columns and adds the k slots in their order.
template <class T>
__global__ void query_gradient_rows(TopKShape shape, const T* __restrict__ grad_scores,
                                    const int64_t* __restrict__ slots, const T* __restrict__ sub_keys,
                                    T* __restrict__ grad_query) {
  const int64_t row = block_index(), n = shape.num_sub_keys, dim = shape.half_dim, k = shape.k;
  for (int64_t c = thread_index(); c < 2 * dim; c += block_threads()) {
    const int64_t half = c / dim;
    const T* keys = sub_keys + (row % shape.heads * 2 + half) * n * dim + c % dim;
    T total = 0;
#pragma unroll 4
    for (int64_t j = row * k; j < (row + 1) * k; ++j) {
      const int64_t key = half == 0 ? slots[j] / n : slots[j] % n;
      total += grad_scores[j] * keys[key * dim];
    }
    grad_query[row * 2 * dim + c] = total;
  }
}

__global__ void number_keys(TopKShape shape, const int64_t* __restrict__ slots, uint64_t* __restrict__ keys,
                            int64_t entries) {
  const int64_t e = block_index() * block_threads() + thread_index();
  if (e >= entries) return;
  const int64_t n = shape.num_sub_keys, first_row = e / shape.k % shape.heads * 2 * n;
  keys[e] = uint64_t(first_row + slots[e] / n) << 32 | uint64_t(e);
  keys[entries + e] = uint64_t(first_row + n + slots[e] % n) << 32 | uint64_t(e);
}

/// The first place whose slot is at least `slot`.
__device__ __forceinline__ int64_t lower_bound(const uint64_t* sorted, int64_t count, int64_t slot) {
  int64_t first = 0;
  while (count > 0) {
    const int64_t half = count / 2;
    const bool below = int64_t(sorted[first + half] >> 32) < slot;
    first = below ? first + half + 1 : first;
    count = below ? count - half - 1 : half;
  }
  return first;
}

/// One block a sub-key.
template <class T>
__global__ void sub_key_gradient_rows(TopKShape shape, const uint64_t* __restrict__ sorted, int64_t count,
                                      const T* __restrict__ grad_scores, const T* __restrict__ query,
                                      T* __restrict__ grad_sub_keys) {
  const int64_t row = block_index(), dim = shape.half_dim, half = row / shape.num_sub_keys % 2;
  const int64_t begin = lower_bound(sorted, count, row), end = lower_bound(sorted, count, row + 1);
  for (int64_t c = thread_index(); c < dim; c += block_threads()) {
    T total = 0;
#pragma unroll 4
    for (int64_t i = begin; i < end; ++i) {
      const int64_t entry = uint32_t(sorted[i]);
      total += grad_scores[entry] * query[(entry / shape.k * 2 + half) * dim + c];
    }
    grad_sub_keys[row * dim + c] = total;
  }
}

}  // namespace

template <class T>
void query_gradient(const TopKShape& shape, const T* grad_scores, const int64_t* slots, const T* sub_keys,
                    T* grad_query, int64_t tokens, Stream stream) {
  launch(query_gradient_rows<T>, tokens * shape.heads, kGradientThreads, stream, shape, grad_scores, slots, sub_keys,
         grad_query);
}

void number_sub_keys(const TopKShape& shape, const int64_t* slots, uint64_t* keys, int64_t tokens, Stream stream) {
  const int64_t entries = tokens * shape.heads * shape.k;
  launch(number_keys, divide_up(entries, kNumberThreads), kNumberThreads, stream, shape, slots, keys, entries);
}

template <class T>
void sub_key_gradient(const TopKShape& shape, const uint64_t* sorted, int64_t count, const T* grad_scores,
                      const T* query, T* grad_sub_keys, Stream stream) {
  launch(sub_key_gradient_rows<T>, shape.heads * 2 * shape.num_sub_keys, kGradientThreads, stream, shape, sorted, count,
         grad_scores, query, grad_sub_keys);
}

#define MEMLAYERS_SELECTION_GRADIENT(T)                                                                    \
  template void query_gradient(const TopKShape&, const T*, const int64_t*, const T*, T*, int64_t, Stream); \
  template void sub_key_gradient(const TopKShape&, const uint64_t*, int64_t, const T*, const T*, T*, Stream)
MEMLAYERS_SELECTION_GRADIENT(float);
MEMLAYERS_SELECTION_GRADIENT(double);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
