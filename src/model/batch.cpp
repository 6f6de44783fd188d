#include "model/batch.h"

#include <ATen/ATen.h>

namespace memlayers::model {

at::Tensor batch_tensor(std::span<const int32_t> ids, int64_t rows) {
  return at::from_blob(const_cast<int32_t*>(ids.data()), {rows, int64_t(ids.size()) / rows}, at::kInt).to(at::kLong);
}

}  // namespace memlayers::model
