// The emulation's device is the host.
#include <cstring>

#include "ops/cuda/stream.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

Stream current_stream() { return nullptr; }
bool is_recording() { return false; }
void copy_to_host(void* target, const void* source, size_t bytes, Stream) { std::memcpy(target, source, bytes); }
void copy_to_device(void* target, const void* source, size_t bytes, Stream) { std::memcpy(target, source, bytes); }
void fill_with_zeros(void* target, size_t bytes, Stream) { std::memset(target, 0, bytes); }

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
