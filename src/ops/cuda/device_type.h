// The kind of device that the wrappers of kernels are compiled for: CUDA, or the CPU for the emulation.
#pragma once

#include <c10/core/DeviceType.h>

namespace memlayers::ops::MEMLAYERS_DEVICE {

inline constexpr c10::DeviceType kDeviceType = c10::DeviceType::MEMLAYERS_DEVICE_KEY;

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
