// torch's streams and CUDA's copies.
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include "ops/cuda/recording_check.h"
#include "ops/cuda/stream.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

cudaStream_t native(Stream stream) { return static_cast<cudaStream_t>(stream); }

}  // namespace

Stream current_stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

bool is_recording() { return c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None; }

void copy_to_host(void* target, const void* source, size_t bytes, Stream stream) {
  check_not_recording("waits for the device's answer");
  C10_CUDA_CHECK(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToHost, native(stream)));
  C10_CUDA_CHECK(cudaStreamSynchronize(native(stream)));
}

// From pageable memory the call returns once the bytes are staged.
void copy_to_device(void* target, const void* source, size_t bytes, Stream stream) {
  check_not_recording("sends numbers that every replay would find changed");
  C10_CUDA_CHECK(cudaMemcpyAsync(target, source, bytes, cudaMemcpyHostToDevice, native(stream)));
}

void fill_with_zeros(void* target, size_t bytes, Stream stream) {
  C10_CUDA_CHECK(cudaMemsetAsync(target, 0, bytes, native(stream)));
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
