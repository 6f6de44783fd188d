// A table of value rows, as the layers that read it know it: they ask for bags and dot products and never see a tensor.
//
// Tables are siblings: rows in this process's memory (layers/local_table.h), and whatever keeps them elsewhere or in
// fewer bits. A table is shared by pointer between all memory layers, or all n-gram layers, of a model.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ops/memory_bag/memory_bag.h"

namespace memlayers::layers {

/// What a table's rows are found by: a hidden state's query, or token ids alone.
enum class Addressing { kProductKeys, kNgrams };

struct TableShape {
  std::string name;  // "model.memory_tables.0.weight": of its rows in files, and what its first values are drawn by
  int64_t rows = 0, value_dim = 0;
  Addressing addressing = Addressing::kProductKeys;
};

/// Who owes rows something before they are read: an optimizer that replays skipped steps.
class RowKeeper {
 public:
  virtual ~RowKeeper() = default;
  /// slots: int64 of any shape, inside the table.
  virtual void bring_up_to_date(const at::Tensor& slots) = 0;
  /// Every row; costs nothing where none is behind.
  virtual void bring_all_up_to_date() = 0;
};

class MemoryTable {
 public:
  explicit MemoryTable(TableShape shape) : shape_(std::move(shape)) {}
  virtual ~MemoryTable() = default;
  MemoryTable(const MemoryTable&) = delete;
  MemoryTable& operator=(const MemoryTable&) = delete;

  const std::string& name() const { return shape_.name; }
  int64_t rows() const { return shape_.rows; }            // S
  int64_t value_dim() const { return shape_.value_dim; }  // D
  Addressing addressing() const { return shape_.addressing; }
  /// Of bags: float32, bfloat16 or float64.
  virtual at::ScalarType dtype() const = 0;
  /// Of the weights and dot products that go with it: float64 for float64, else float32.
  at::ScalarType weight_dtype() const { return dtype() == at::kDouble ? at::kDouble : at::kFloat; }

  /// y[t] = sum over j of weights[t, j] * row(slots[t, j]). slots [N, M] int64; weights [N, M] in weight_dtype().
  /// Returns [N, D] in dtype(), accumulated in weight_dtype(). Differentiable in weights; the rows' gradient is left as
  /// a record. Throws base::UsageError: a slot outside of the table, shapes or dtypes that do not fit.
  at::Tensor bag(const at::Tensor& slots, const at::Tensor& weights);
  /// a[t, j] = dot(x[t], row(slots[t, j])). slots [N, M] int64; x [N, D] in dtype(). Returns [N, M] in weight_dtype().
  /// Differentiable in x; the rows' gradient is left as a record. Throws as bag().
  at::Tensor dots(const at::Tensor& slots, const at::Tensor& x);
  /// Rows [begin, end) as [end - begin, D] in dtype(), to be read only; 0 <= begin <= end <= rows().
  at::Tensor range(int64_t begin, int64_t end);
  /// All rows [S, D] as one contiguous tensor, to be read only, where they lie in this process's memory; null
  /// elsewhere.
  const at::Tensor* direct_rows();

  /// Draws the first values, normal with deviation 1 / sqrt(D), from the stream of (seed, name()).
  virtual void initialize(uint64_t seed) = 0;
  /// Converts the rows, of which there is one copy.
  virtual void set_dtype(at::ScalarType dtype) = 0;
  /// What a file holds of it, under the names there. Filling the tensors loads the table.
  struct NamedTensor {
    std::string name;
    at::Tensor tensor;
  };
  virtual std::vector<NamedTensor> tensors() const = 0;

  /// What backward passes have left since it was taken last, in their order.
  const ops::BagRecords& records() const { return *records_; }
  ops::BagRecords take_records() { return std::exchange(*records_, {}); }

  /// Rows are brought up to date by `keeper` before anything here reads them; null: nobody keeps them. The keeper takes
  /// itself off before it goes. Throws base::UsageError: there is one already.
  void set_keeper(RowKeeper* keeper);
  const RowKeeper* keeper() const { return keeper_; }

  /// Called with (layer, slots, weights), both [N, H*k], after each read; in training with random_reads r, [N, H*(k +
  /// r)].
  using Listener = std::function<void(int64_t layer, const at::Tensor& slots, const at::Tensor& weights)>;
  /// Takes its listener off when it goes; may outlive the table.
  class [[nodiscard]] Listening {
   public:
    Listening(Listening&&) noexcept = default;
    Listening& operator=(Listening&&) noexcept = default;

   private:
    friend class MemoryTable;
    explicit Listening(Listener listener) : listener_(std::make_shared<const Listener>(std::move(listener))) {}
    std::shared_ptr<const Listener> listener_;
  };
  /// Any number may listen at once, each as long as it holds what this returns; they are told in the order they came.
  Listening listen(Listener listener);
  /// Called by layers.
  void tell_listeners(int64_t layer, const at::Tensor& slots, const at::Tensor& weights) const;

 protected:
  virtual at::Tensor read_bag(const at::Tensor& slots, const at::Tensor& weights) = 0;
  virtual at::Tensor read_dots(const at::Tensor& slots, const at::Tensor& x) = 0;
  virtual at::Tensor read_range(int64_t begin, int64_t end) = 0;
  virtual const at::Tensor* rows_in_memory() { return nullptr; }
  /// Shared with what backward passes keep.
  const std::shared_ptr<ops::BagRecords>& shared_records() const { return records_; }

 private:
  TableShape shape_;
  std::shared_ptr<ops::BagRecords> records_ = std::make_shared<ops::BagRecords>();
  RowKeeper* keeper_ = nullptr;
  std::vector<std::weak_ptr<const Listener>> listeners_;
};

/// Makes the tables of a model; called once for each, in the order of their names.
using TableFactory = std::function<std::shared_ptr<MemoryTable>(const TableShape&)>;

}  // namespace memlayers::layers
