// Sorting records, gradient rows and their norms on a device. Compiled for CUDA, and once more for the emulation.
#include "ops/row_update/row_gradient_cuda.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include <bit>
#include <tuple>
#include <vector>

#include "ops/cuda/device_type.h"
#include "ops/cuda/radix_sort.h"
#include "ops/row_update/device_records.h"
#include "ops/row_update/row_gradient_checks.h"
#include "ops/row_update/row_squares.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

using Sorted = std::tuple<at::Tensor, at::Tensor, at::Tensor>;  // rows, row_begins, entries

uint32_t* words(const at::Tensor& tensor) { return static_cast<uint32_t*>(tensor.mutable_data_ptr()); }
uint64_t* long_words(const at::Tensor& tensor) { return static_cast<uint64_t*>(tensor.mutable_data_ptr()); }

/// slot << 32 | number of all records' entries, sorted by slot.
at::Tensor sorted_entries(at::TensorList slots, int64_t count, Stream stream) {
  const auto options = slots[0].options();
  const at::Tensor keys = at::empty({count}, options), largest_slot = at::zeros({1}, options);
  int64_t first = 0;
  for (const at::Tensor& record : slots) {
    const at::Tensor slot = record.contiguous();
    number_entries(slot.const_data_ptr<int64_t>(), slot.numel(), uint32_t(first), long_words(keys) + first,
                   long_words(largest_slot), stream);
    first += slot.numel();
  }
  uint64_t largest = 0;
  copy_to_host(&largest, largest_slot.const_data_ptr(), sizeof(largest), stream);
  check_largest_slot(largest);
  const at::Tensor other = at::empty({count}, options);
  const at::Tensor counts = at::empty({kDigits * sort_tiles(count)}, options.dtype(at::kInt));
  const at::Tensor totals = at::empty({kDigits}, options.dtype(at::kInt));
  const uint64_t* sorted = sort_by_slot(long_words(keys), long_words(other), count, std::bit_width(largest),
                                        words(counts), words(totals), stream);
  return sorted == long_words(keys) ? keys : other;
}

Sorted sort(at::TensorList slots) {
  const c10::DeviceGuard guard(slots[0].device());
  const Stream stream = current_stream();
  const auto options = slots[0].options();
  int64_t count = 0;
  for (const at::Tensor& record : slots) {
    base::check(record.device() == slots[0].device(), "sort_records: all records must be on one device, got ",
                slots[0].device(), " and ", record.device());
    count += record.numel();
  }
  check_entry_count(count);
  if (count == 0) return {at::empty({0}, options), at::zeros({1}, options), at::empty({0}, options)};
  const at::Tensor entries = sorted_entries(slots, count, stream);
  const at::Tensor counts = at::empty({sort_tiles(count)}, options.dtype(at::kInt));
  const at::Tensor total = at::empty({1}, options.dtype(at::kInt));
  count_runs(long_words(entries), count, words(counts), words(total), stream);
  uint32_t num_rows = 0;
  copy_to_host(&num_rows, total.const_data_ptr(), sizeof(num_rows), stream);
  const at::Tensor rows = at::empty({int64_t(num_rows)}, options), begins = at::empty({int64_t(num_rows) + 1}, options);
  write_runs(long_words(entries), count, words(counts), num_rows, rows.mutable_data_ptr<int64_t>(),
             begins.mutable_data_ptr<int64_t>(), stream);
  return {rows, begins, entries};
}

void sum_touched(const at::Tensor& row_begins, const at::Tensor& entries, at::TensorList weights,
                 at::TensorList grad_outputs, at::Tensor values) {
  check_sum_target(row_begins, entries, weights, grad_outputs, values);
  const c10::DeviceGuard guard(entries.device());
  const Stream stream = current_stream();
  const auto run = [&]<class T>(T) {
    const DeviceRecords<T> records(row_begins, entries, weights, grad_outputs, values.size(1), stream);
    sum_rows(records.problem(), values.mutable_data_ptr<T>(), records.wide(), values.size(0), stream);
  };
  if (values.numel() > 0) values.scalar_type() == at::kDouble ? run(double{}) : run(float{});
}

std::tuple<at::Tensor, at::Tensor> gather(at::TensorList slots, at::TensorList weights, at::TensorList grad_outputs,
                                          int64_t value_dim) {
  check_records(slots, weights, grad_outputs, value_dim);
  const c10::DeviceGuard guard(slots[0].device());
  const auto [rows, begins, entries] = sort(slots);
  const at::Tensor values = at::empty({rows.size(0), value_dim}, weights[0].options());
  sum_touched(begins, entries, weights, grad_outputs, values);
  return {rows, values};
}

/// `write` leaves the sums of squares of runs of rows on the device. They are few, and are added on the host, in the
/// order of row_squares.h.
template <class Write>
double total_of(int64_t rows, int64_t value_dim, const at::TensorOptions& options, Stream stream, Write write) {
  const int64_t blocks = column_blocks(value_dim), count = squared_runs(rows) * blocks;
  const at::Tensor on_device = at::empty({count}, options.dtype(at::kDouble));
  write(on_device.mutable_data_ptr<double>());
  std::vector<double> sums(static_cast<size_t>(count));
  copy_to_host(sums.data(), on_device.const_data_ptr(), sums.size() * sizeof(double), stream);
  return total_of_squares(sums, blocks);
}

double squared_norm_of(const at::Tensor& values) {
  check_gradient_rows(values);
  const c10::DeviceGuard guard(values.device());
  const Stream stream = current_stream();
  const at::Tensor contiguous = values.contiguous();
  const int64_t rows = values.size(0), dim = values.size(1);
  return total_of(rows, dim, values.options(), stream, [&](double* sums) {
    if (contiguous.scalar_type() == at::kDouble) {
      square_sums(contiguous.const_data_ptr<double>(), dim, rows, sums, stream);
    } else {
      square_sums(contiguous.const_data_ptr<float>(), dim, rows, sums, stream);
    }
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, MEMLAYERS_DEVICE_KEY, library) {
  library.impl("gather_row_gradient", gather);
  library.impl("row_squared_norm", squared_norm_of);
  library.impl("sort_records", sort);
  library.impl("sum_touched_rows", sum_touched);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
