// What wrappers need of a device besides its kernels: its stream, and small copies between it and the host. The CUDA
// build implements this with c10::cuda, the emulation with memcpy.
#pragma once

#include <cstddef>

namespace memlayers::ops {

using Stream = void*;  // a cudaStream_t; no header of CUDA is needed to pass one on

namespace MEMLAYERS_DEVICE {

/// torch's current stream of the current device.
Stream current_stream();
/// True while a CUDA graph is being recorded: then nothing may wait for the device.
bool is_recording();
/// Waits for the stream. Throws base::UsageError while recording.
void copy_to_host(void* target, const void* source, size_t bytes, Stream stream);
/// The host's memory may be reused at once. Throws base::UsageError while recording.
void copy_to_device(void* target, const void* source, size_t bytes, Stream stream);
void fill_with_zeros(void* target, size_t bytes, Stream stream);

}  // namespace MEMLAYERS_DEVICE
}  // namespace memlayers::ops
