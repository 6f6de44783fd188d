// Tables and keepers of tables that exist in tests alone.
#pragma once

#include <ATen/ATen.h>

#include <stdexcept>
#include <vector>

#include "layers/memory_table.h"

namespace memlayers::tests {

/// Calls what it was given: with the slots that are about to be read, and where all rows are.
class TestKeeper : public layers::RowKeeper {
 public:
  using OnSlots = std::function<void(const at::Tensor&)>;
  explicit TestKeeper(
      OnSlots some, std::function<void()> all = [] {})
      : some_(std::move(some)), all_(std::move(all)) {}
  void bring_up_to_date(const at::Tensor& slots) override { some_(slots); }
  void bring_all_up_to_date() override { all_(); }

 private:
  OnSlots some_;
  std::function<void()> all_;
};

/// Rows that are no tensor anywhere: each is made out of `like`'s when it is asked for, as if it came from a disk.
/// Leaves no records. Counts the rows it gave out.
class DistantTable : public layers::MemoryTable {
 public:
  DistantTable(const layers::TableShape& shape, const at::Tensor& like) : MemoryTable(shape) {
    const at::Tensor rows_given = like.to(at::kFloat).contiguous();
    const float* value = rows_given.const_data_ptr<float>();
    for (int64_t row = 0; row < rows(); ++row)
      kept_.emplace_back(value + row * value_dim(), value + (row + 1) * value_dim());
  }

  at::ScalarType dtype() const override { return at::kFloat; }
  void initialize(uint64_t) override {}
  void set_dtype(at::ScalarType) override { throw std::logic_error("a distant table stays as it is"); }
  std::vector<NamedTensor> tensors() const override { return {}; }
  int64_t given() const { return given_; }

 protected:
  at::Tensor read_bag(const at::Tensor& slots, const at::Tensor& weights) override {
    return (weights.unsqueeze(2) * fetch(slots)).sum(1);
  }
  at::Tensor read_dots(const at::Tensor& slots, const at::Tensor& x) override {
    return (fetch(slots) * x.unsqueeze(1)).sum(2);
  }
  at::Tensor read_range(int64_t begin, int64_t end) override { return fetch(at::arange(begin, end)).squeeze(0); }

 private:
  /// [N, M, D]
  at::Tensor fetch(const at::Tensor& slots) {
    at::Tensor result = at::empty({slots.numel(), value_dim()}, at::kFloat);
    const at::Tensor flat = slots.reshape({-1}).contiguous();
    for (int64_t i = 0; i < flat.numel(); ++i) {
      const std::vector<float>& row = kept_.at(static_cast<size_t>(flat.const_data_ptr<int64_t>()[i]));
      std::copy(row.begin(), row.end(), result.mutable_data_ptr<float>() + i * value_dim());
    }
    given_ += flat.numel();
    return result.view({slots.dim() == 2 ? slots.size(0) : 1, -1, value_dim()});
  }

  std::vector<std::vector<float>> kept_;
  int64_t given_ = 0;
};

}  // namespace memlayers::tests
