#include "layers/local_table.h"

#include <ATen/ATen.h>

#include <cmath>

#include "base/error.h"
#include "layers/initialize.h"
#include "layers/row_dots.h"

namespace memlayers::layers {

LocalTable::LocalTable(const TableShape& shape)
    : MemoryTable(shape), weight_(ops::allocate_rows(shape.rows, shape.value_dim, at::kFloat)) {}

void LocalTable::initialize(uint64_t seed) {
  const double deviation = 1 / std::sqrt(static_cast<double>(value_dim()));
  layers::initialize({name(), &weight_, Initializer::normal(deviation)}, seed);
}

void LocalTable::set_dtype(at::ScalarType dtype) {
  if (weight_.scalar_type() != dtype) weight_ = ops::allocate_rows(rows(), value_dim(), dtype).copy_(weight_);
}

at::Tensor LocalTable::read_bag(const at::Tensor& slots, const at::Tensor& weights) {
  return ops::memory_bag(weight_, slots, weights, shared_records());
}

at::Tensor LocalTable::read_dots(const at::Tensor& slots, const at::Tensor& x) {
  return row_dots(weight_, slots, x, shared_records());
}

at::Tensor LocalTable::read_range(int64_t begin, int64_t end) { return weight_.slice(0, begin, end); }

std::shared_ptr<MemoryTable> make_local_table(const TableShape& shape) { return std::make_shared<LocalTable>(shape); }

LocalTable& local_table(MemoryTable& table, const char* who) {
  auto* local = dynamic_cast<LocalTable*>(&table);
  base::check(local != nullptr, table.name(), ": ", who, " needs a table whose rows are in this process's memory");
  return *local;
}

}  // namespace memlayers::layers
