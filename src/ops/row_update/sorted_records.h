// Bag records sorted by slot on a device: what gather_row_gradient and the update straight from records begin with.
#pragma once

#include <ATen/ATen.h>

#include <bit>
#include <vector>

#include "ops/cuda/radix_sort.h"
#include "ops/row_update/row_gradient_checks.h"
#include "ops/row_update/row_gradient_cuda.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {

/// Entries of all records, numbered in their order and sorted by slot; runs of equal slots are the rows [U].
template <class T>
class SortedRecords {
 public:
  SortedRecords(at::TensorList slots, at::TensorList weights, at::TensorList grad_outputs, int64_t value_dim,
                Stream stream)
      : options_(slots[0].options()), stream_(stream), value_dim_(value_dim) {
    check_records(slots, weights, grad_outputs, value_dim);
    for (size_t r = 0; r < slots.size(); ++r) {
      base::check(slots[r].device() == slots[0].device() && weights[r].device() == slots[0].device() &&
                      grad_outputs[r].device() == slots[0].device(),
                  "gather_row_gradient: all records must be on one device, got ", slots[0].device(), ", ",
                  slots[r].device(), ", ", weights[r].device(), " and ", grad_outputs[r].device());
      slots_.push_back(slots[r].contiguous());
      weights_.push_back(weights[r].contiguous());
      grad_outputs_.push_back(grad_outputs[r].contiguous());
      count_ += slots[r].numel();
      const auto address = reinterpret_cast<uintptr_t>(grad_outputs_[r].const_data_ptr());
      wide_ = wide_ && address % 16 == 0 && value_dim * int64_t(sizeof(T)) % 16 == 0;
    }
    check_entry_count(count_);
    rows = at::empty({0}, options_);
    if (count_ == 0) return;
    sort();
    find_rows();
    copy_views();
  }

  int64_t num_rows() const { return rows.numel(); }
  bool wide() const { return wide_; }
  RowSumProblem<T> problem(T* values) const {
    return {.value_dim = value_dim_,
            .records = static_cast<const RecordView<T>*>(views_.const_data_ptr()),
            .num_records = int64_t(slots_.size()),
            .sorted = sorted_,
            .row_begins = begins_.const_data_ptr<int64_t>(),
            .values = values};
  }

  at::Tensor rows;  // [U] int64, ascending

 private:
  uint32_t* words(at::Tensor& owner, int64_t count) const {
    owner = at::empty({count}, options_.dtype(at::kInt));
    return static_cast<uint32_t*>(owner.mutable_data_ptr());
  }

  void sort() {
    keys_ = at::empty({count_}, options_);
    auto* keys = static_cast<uint64_t*>(keys_.mutable_data_ptr());
    const at::Tensor largest_slot = at::zeros({1}, options_);
    int64_t first = 0;
    for (const at::Tensor& slot : slots_) {
      number_entries(slot.const_data_ptr<int64_t>(), slot.numel(), uint32_t(first), keys + first,
                     static_cast<uint64_t*>(largest_slot.mutable_data_ptr()), stream_);
      first += slot.numel();
    }
    uint64_t largest = 0;
    copy_to_host(&largest, largest_slot.const_data_ptr(), sizeof(largest), stream_);
    check_largest_slot(largest);
    at::Tensor other = at::empty({count_}, options_), counts, totals;
    uint32_t* count_data = words(counts, kDigits * sort_tiles(count_));
    sorted_ = sort_by_slot(keys, static_cast<uint64_t*>(other.mutable_data_ptr()), count_, std::bit_width(largest),
                           count_data, words(totals, kDigits), stream_);
    if (sorted_ != keys) keys_ = other;  // the one that is kept
  }

  void find_rows() {
    at::Tensor counts, total;
    uint32_t *count_data = words(counts, sort_tiles(count_)), *total_data = words(total, 1), num_rows = 0;
    count_runs(sorted_, count_, count_data, total_data, stream_);
    copy_to_host(&num_rows, total_data, sizeof(num_rows), stream_);
    rows = at::empty({int64_t(num_rows)}, options_);
    begins_ = at::empty({int64_t(num_rows) + 1}, options_);
    write_runs(sorted_, count_, count_data, num_rows, rows.mutable_data_ptr<int64_t>(),
               begins_.mutable_data_ptr<int64_t>(), stream_);
  }

  void copy_views() {
    std::vector<RecordView<T>> views;
    uint32_t first = 0;
    for (size_t r = 0; r < slots_.size(); ++r) {
      views.push_back({weights_[r].template const_data_ptr<T>(), grad_outputs_[r].template const_data_ptr<T>(),
                       std::max<int64_t>(weights_[r].size(1), 1), first});
      first += uint32_t(weights_[r].numel());
    }
    const auto bytes = views.size() * sizeof(RecordView<T>);
    views_ = at::empty({int64_t(bytes)}, options_.dtype(at::kByte));
    copy_to_device(views_.mutable_data_ptr(), views.data(), bytes, stream_);
  }

  at::TensorOptions options_;
  Stream stream_;
  int64_t value_dim_, count_ = 0;
  bool wide_ = true;
  std::vector<at::Tensor> slots_, weights_, grad_outputs_;
  at::Tensor keys_, begins_, views_;
  const uint64_t* sorted_ = nullptr;
};

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
