// A table whose rows are one tensor in this process's memory.
#pragma once

#include "layers/memory_table.h"

namespace memlayers::layers {

class LocalTable : public MemoryTable {
 public:
  /// Rows are allocated (float32), not initialized.
  explicit LocalTable(const TableShape& shape);

  /// [S, D]; never requires a gradient. For whoever updates rows; layers ask the table.
  at::Tensor& weight() { return weight_; }
  const at::Tensor& weight() const { return weight_; }

  at::ScalarType dtype() const override { return weight_.scalar_type(); }
  void initialize(uint64_t seed) override;
  void set_dtype(at::ScalarType dtype) override;
  std::vector<NamedTensor> tensors() const override { return {{name(), weight_}}; }

 protected:
  at::Tensor read_bag(const at::Tensor& slots, const at::Tensor& weights) override;
  at::Tensor read_dots(const at::Tensor& slots, const at::Tensor& x) override;
  at::Tensor read_range(int64_t begin, int64_t end) override;
  const at::Tensor* rows_in_memory() override { return &weight_; }

 private:
  at::Tensor weight_;
};

/// A TableFactory.
std::shared_ptr<MemoryTable> make_local_table(const TableShape& shape);

/// `table` as the one in memory that it is, for what can only be done there: update rows, round them in place. Throws
/// base::UsageError, saying that `who` cannot, where it is another kind of table.
LocalTable& local_table(MemoryTable& table, const char* who);

}  // namespace memlayers::layers
