#include "bench/table_memory.h"

#include <ATen/ATen.h>

#include <fstream>
#include <limits>
#include <string>

#include "ops/memory_bag/memory_bag.h"

namespace memlayers::bench {
namespace {

at::Tensor memory;  // int16

}  // namespace

int64_t available_bytes() {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string line; std::getline(meminfo, line);) {
    if (line.starts_with("MemAvailable:")) return std::stoll(line.substr(line.find_first_of("0123456789"))) * 1024;
  }
  return std::numeric_limits<int64_t>::max();
}

at::Tensor reading_table(int64_t rows, int64_t value_dim, at::ScalarType dtype) {
  const int64_t halves = (rows * value_dim * int64_t(at::elementSize(dtype)) + 1) / 2;
  if (!memory.defined() || memory.numel() < halves) {
    memory.reset();
    // 0.5 as bfloat16, and two of them a float32 near 0.5: no row is of subnormal numbers, which are slow.
    memory = ops::allocate_rows(1, halves, at::kShort).view({halves}).fill_(0x3F00);
  }
  return memory.narrow(0, 0, halves).view(dtype).narrow(0, 0, rows * value_dim).view({rows, value_dim});
}

void release_reading_table() { memory.reset(); }

}  // namespace memlayers::bench
