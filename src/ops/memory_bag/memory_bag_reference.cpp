#include "ops/memory_bag/memory_bag_reference.h"

#include <ATen/ATen.h>

namespace memlayers::ops {

at::Tensor memory_bag_reference(const at::Tensor& table, const at::Tensor& slots, const at::Tensor& weights) {
  const at::Tensor rows =
      table.index_select(0, slots.reshape({-1})).view({slots.size(0), slots.size(1), table.size(1)});
  return (rows * weights.unsqueeze(-1)).sum(1);
}

}  // namespace memlayers::ops
