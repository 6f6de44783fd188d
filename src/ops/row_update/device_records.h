// Sorted bag records as kernels of a device want them.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "ops/cuda/stream.h"
#include "ops/row_update/row_gradient_kernel.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// Tensors as in TouchedRows; weights and grad_outputs of the records, of dtype T. Holds on to what it points to.
template <class T>
class DeviceRecords {
 public:
  DeviceRecords(const at::Tensor& row_begins, const at::Tensor& entries, at::TensorList weights,
                at::TensorList grad_outputs, int64_t value_dim, Stream stream)
      : row_begins_(row_begins), entries_(entries) {
    std::vector<RecordView<T>> views;
    uint32_t first = 0;
    for (size_t r = 0; r < weights.size(); ++r) {
      weights_.push_back(weights[r].contiguous());
      grad_outputs_.push_back(grad_outputs[r].contiguous());
      const T* grad = grad_outputs_[r].template const_data_ptr<T>();
      views.push_back(
          {weights_[r].template const_data_ptr<T>(), grad, uint32_t(std::max<int64_t>(weights[r].size(1), 1)), first});
      first += uint32_t(weights[r].numel());
      wide_ = wide_ && reinterpret_cast<uintptr_t>(grad) % 16 == 0 && value_dim * int64_t(sizeof(T)) % 16 == 0;
    }
    const auto bytes = views.size() * sizeof(RecordView<T>);
    views_ = at::empty({int64_t(bytes)}, entries.options().dtype(at::kByte));
    copy_to_device(views_.mutable_data_ptr(), views.data(), bytes, stream);
    problem_ = {.value_dim = value_dim,
                .records = static_cast<const RecordView<T>*>(views_.const_data_ptr()),
                .num_records = int64_t(views.size()),
                .sorted = static_cast<const uint64_t*>(entries.const_data_ptr()),
                .row_begins = row_begins.const_data_ptr<int64_t>()};
  }

  const RowSumProblem<T>& problem() const { return problem_; }
  bool wide() const { return wide_; }  // 16-byte loads of the output gradients' rows are aligned

 private:
  at::Tensor row_begins_, entries_, views_;
  std::vector<at::Tensor> weights_, grad_outputs_;
  RowSumProblem<T> problem_;
  bool wide_ = true;
};

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
