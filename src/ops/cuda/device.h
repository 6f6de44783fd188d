// What a .cu file is written against, so that one source is a CUDA kernel under nvcc and host code everywhere else.
//
// Under nvcc these are CUDA's own words. Otherwise ops/cuda/emulation.h gives them the same meaning on the host: blocks
// one after another, threads in lock step where they meet. What differs in spelling from plain CUDA differs for the
// emulation's sake: a shared array is declared with MEMLAYERS_SHARED and passed on as SharedPointer, and a kernel is
// started with launch(), since "<<<" is no C++.
#pragma once

#include <cstdint>
#include <cstring>

#include "ops/cuda/stream.h"

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include "base/error.h"

#define MEMLAYERS_SHARED(type, name, count) __shared__ type name[count]

namespace memlayers::ops {

template <class T>
using SharedPointer = T*;

__device__ __forceinline__ int thread_index() { return int(threadIdx.x); }
__device__ __forceinline__ int block_threads() { return int(blockDim.x); }
__device__ __forceinline__ int64_t block_index() { return int64_t(blockIdx.x); }
__device__ __forceinline__ int64_t grid_blocks() { return int64_t(gridDim.x); }

/// 16, 8 or 4 aligned bytes in one load through the read-only path.
template <class Bits>
__device__ __forceinline__ Bits load_bits(const void* source) {
  return __ldg(static_cast<const Bits*>(source));
}

/// `blocks` times `threads` threads of `kernel`; throws when the launch itself fails.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), int64_t blocks, int threads, Stream stream, Arguments... arguments) {
  if (blocks == 0) return;
  base::check(blocks <= 0x7FFFFFFF, "a launch of ", blocks, " blocks is more than a grid can have");
  kernel<<<unsigned(blocks), unsigned(threads), 0, static_cast<cudaStream_t>(stream)>>>(Parameters(arguments)...);
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess)
    throw base::Error(base::concat("CUDA: a kernel did not start: ", cudaGetErrorString(status)));
}

}  // namespace memlayers::ops

#else

#include "ops/cuda/emulation.h"

#define MEMLAYERS_SHARED(type, name, count) \
  const ::memlayers::ops::emulation::Shared<type> name = ::memlayers::ops::emulation::shared<type>(count, #name)
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

namespace memlayers::ops {
using emulation::block_index;
using emulation::block_threads;
using emulation::grid_blocks;
using emulation::launch;
using emulation::load_bits;
using emulation::thread_index;
template <class T>
using SharedPointer = emulation::Shared<T>;
}  // namespace memlayers::ops

#endif

namespace memlayers::ops {

inline constexpr int kWarp = 32;
inline constexpr uint32_t kFullMask = 0xFFFFFFFF;

__device__ __forceinline__ int lane_index() { return thread_index() % kWarp; }
__device__ __forceinline__ int warp_index() { return thread_index() / kWarp; }

/// `count` neighbors that one instruction loads or stores: 16 or 4 bytes, or a single number.
template <class T, int count>
struct alignas(sizeof(T) * count) Pack {
  T at[count];
};

template <int count, class T>
__device__ __forceinline__ Pack<T, count> load_pack(const T* source) {
  Pack<T, count> pack;
  if constexpr (sizeof(pack) == 16) {
    const int4 bits = load_bits<int4>(source);
    memcpy(&pack, &bits, sizeof(pack));
  } else if constexpr (sizeof(pack) == 4 && count > 1) {
    const uint32_t bits = load_bits<uint32_t>(source);
    memcpy(&pack, &bits, sizeof(pack));
  } else {
    for (int i = 0; i < count; ++i) pack.at[i] = source[i];
  }
  return pack;
}

template <int count, class T>
__device__ __forceinline__ void store_pack(T* target, const Pack<T, count>& pack) {
  *reinterpret_cast<Pack<T, count>*>(target) = pack;
}

// bfloat16 is its bits here, as in the CPU kernels.
__device__ __forceinline__ float widen(uint16_t bits) { return __uint_as_float(uint32_t{bits} << 16); }
__device__ __forceinline__ float widen(int8_t code) { return code; }
__device__ __forceinline__ float widen(float value) { return value; }
__device__ __forceinline__ double widen(double value) { return value; }

/// To nearest even.
__device__ __forceinline__ void narrow_to(uint16_t& target, float value) {
  const uint32_t bits = __float_as_uint(value);
  const uint32_t rounded = bits + 0x7FFF + ((bits >> 16) & 1);
  target = uint16_t((value == value ? rounded : bits | 0x400000) >> 16);
}
__device__ __forceinline__ void narrow_to(float& target, float value) { target = value; }
__device__ __forceinline__ void narrow_to(double& target, double value) { target = value; }

/// Whether 128-bit loads of rows of `row_length` are aligned.
template <class T>
bool packs_fit(const T* data, int64_t row_length) {
  constexpr int64_t count = 16 / int64_t(sizeof(T));
  return row_length % count == 0 && reinterpret_cast<uintptr_t>(data) % 16 == 0;
}

__host__ __device__ inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace memlayers::ops
