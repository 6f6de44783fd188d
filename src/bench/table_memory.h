// One large table for case after case: to allocate and touch a gibibyte takes longer than to measure on it.
#pragma once

#include <ATen/core/Tensor.h>

namespace memlayers::bench {

/// Bytes that can be had without pushing anything else out.
int64_t available_bytes();

/// [rows, value_dim] float32 or bfloat16, every value near 0.5; or bytes, for codes. The same memory each time, grown
/// where it must be: for reading only.
at::Tensor reading_table(int64_t rows, int64_t value_dim, at::ScalarType dtype);
/// Gives that memory back once no table uses it.
void release_reading_table();

}  // namespace memlayers::bench
