// gather_row_gradient and row_squared_norm on a device. Compiled for CUDA, and once more for the emulation.
#include "ops/row_update/row_gradient_cuda.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include <tuple>
#include <vector>

#include "ops/cuda/device_type.h"
#include "ops/row_update/sorted_records.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

template <class T>
std::tuple<at::Tensor, at::Tensor> gather_rows(at::TensorList slots, at::TensorList weights,
                                               at::TensorList grad_outputs, int64_t value_dim) {
  const Stream stream = current_stream();
  const SortedRecords<T> sorted(slots, weights, grad_outputs, value_dim, stream);
  const at::Tensor values = at::empty({sorted.num_rows(), value_dim}, weights[0].options());
  if (values.numel() > 0) {
    sum_rows(sorted.problem(values.mutable_data_ptr<T>()), sorted.wide(), sorted.num_rows(), stream);
  }
  return {sorted.rows, values};
}

std::tuple<at::Tensor, at::Tensor> gather(at::TensorList slots, at::TensorList weights, at::TensorList grad_outputs,
                                          int64_t value_dim) {
  check_records(slots, weights, grad_outputs, value_dim);
  const c10::DeviceGuard guard(slots[0].device());
  if (weights[0].scalar_type() == at::kDouble) return gather_rows<double>(slots, weights, grad_outputs, value_dim);
  return gather_rows<float>(slots, weights, grad_outputs, value_dim);
}

/// The rows' squares are added on the host, in row order as the contract says: one number a row crosses over.
double squared_norm_of(const at::Tensor& values) {
  check_gradient_rows(values);
  const c10::DeviceGuard guard(values.device());
  const Stream stream = current_stream();
  const at::Tensor contiguous = values.contiguous();
  const int64_t rows = values.size(0);
  const at::Tensor on_device = at::empty({rows}, values.options().dtype(at::kDouble));
  if (contiguous.scalar_type() == at::kDouble) {
    row_squares(contiguous.const_data_ptr<double>(), values.size(1), on_device.mutable_data_ptr<double>(), rows,
                stream);
  } else {
    row_squares(contiguous.const_data_ptr<float>(), values.size(1), on_device.mutable_data_ptr<double>(), rows, stream);
  }
  std::vector<double> squares(static_cast<size_t>(rows));
  copy_to_host(squares.data(), on_device.const_data_ptr(), squares.size() * sizeof(double), stream);
  double total = 0;
  for (double square : squares) total += square;
  return total;
}

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, MEMLAYERS_DEVICE_KEY, library) {
  library.impl("gather_row_gradient", gather);
  library.impl("row_squared_norm", squared_norm_of);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
