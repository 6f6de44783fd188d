// Which of a kernel's builds runs: chosen once by what the processor can do.
#pragma once

#include <algorithm>
#include <string>

#include "base/cpu.h"
#include "base/log.h"

namespace memlayers::ops {

/// A kernel is a struct of function pointers, filled once per instruction set by the same source file. What has more
/// for AMX than for AVX-512 asks base::isa() for itself.
template <class Kernel>
const Kernel& choose_kernel(const char* op, const Kernel& baseline, const Kernel& avx2, const Kernel& avx512) {
  const base::Isa isa = std::min(base::isa(), base::Isa::kAvx512);
  base::log(base::LogLevel::kDebug, std::string(op) + ": " + base::isa_name(isa) + " kernel");
  switch (isa) {
    case base::Isa::kAvx512:
      return avx512;
    case base::Isa::kAvx2:
      return avx2;
    default:
      return baseline;
  }
}

}  // namespace memlayers::ops
