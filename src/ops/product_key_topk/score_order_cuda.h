// What the kernels of product_key_topk share: the order of scores, places in a warp, a dot product.
#pragma once

#include "ops/cuda/device.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

template <class T>
__device__ __forceinline__ T lowest() {
  return T(__uint_as_float(0xFF800000));
}

/// A NaN counts as minus infinity, in a half and in a sum of two.
template <class T>
__device__ __forceinline__ T ordered(T score) {
  return score == score ? score : lowest<T>();
}

template <class T, class Index>
__device__ __forceinline__ bool is_better(T score, Index index, T than, Index than_index) {
  return score > than || (score == than && index < than_index);
}

__device__ __forceinline__ int lanes_before(uint32_t mask) { return __popc(mask & ((1u << lane_index()) - 1)); }

__device__ __forceinline__ float multiply_add(float a, float b, float sum) { return fmaf(a, b, sum); }
__device__ __forceinline__ double multiply_add(double a, double b, double sum) { return fma(a, b, sum); }

/// One chain of fused multiply-adds in the order of the dimensions, as in the CPU kernels.
template <class T>
__device__ __forceinline__ T dot(const T* a, const T* b, int64_t dim) {
  T sum = 0;
  for (int64_t d = 0; d < dim; ++d) sum = multiply_add(a[d], b[d], sum);
  return sum;
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
