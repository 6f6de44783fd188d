// The emulation's device is the host.
#include <cstring>

#include "ops/cuda/emulated_graph.h"
#include "ops/cuda/recording_check.h"
#include "ops/cuda/stream.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

Stream current_stream() { return nullptr; }
bool is_recording() { return emulation::recorded_graph() != nullptr; }

void copy_to_host(void* target, const void* source, size_t bytes, Stream) {
  check_not_recording("waits for the device's answer");
  std::memcpy(target, source, bytes);
}

void copy_to_device(void* target, const void* source, size_t bytes, Stream) {
  check_not_recording("sends numbers that every replay would find changed");
  std::memcpy(target, source, bytes);
}

void fill_with_zeros(void* target, size_t bytes, Stream) {
  emulation::enqueue([=] { std::memset(target, 0, bytes); });
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
