#include "ops/swiglu/swiglu_reference.h"

#include <ATen/ATen.h>

namespace memlayers::ops {

at::Tensor swiglu_reference(const at::Tensor& gate, const at::Tensor& up) { return at::silu(gate) * up; }

}  // namespace memlayers::ops
