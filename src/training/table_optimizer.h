// Sparse row updates of the tables: a step costs what the rows that were read cost, whatever the tables' size.
#pragma once

#include <memory>
#include <vector>

#include "model/tensor_files.h"
#include "model/transformer.h"
#include "ops/row_update/row_update.h"
#include "training/train_config.h"

namespace memlayers::training {

class TableOptimizer {
 public:
  /// Where the kind needs rows brought up to date before they are read, keeps the tables' rows; the destructor takes it
  /// off. The model and `rates`, whose steps_done this follows, must outlive it.
  /// Throws base::UsageError: a table whose rows are not in this process's memory.
  TableOptimizer(const model::Transformer& model, const OptimizerConfig& config, const StepRates& rates, uint64_t seed);
  ~TableOptimizer();
  TableOptimizer(const TableOptimizer&) = delete;
  TableOptimizer& operator=(const TableOptimizer&) = delete;

  /// Sums the tables' records into row gradients, clears the records, and gives the squared norm of all gradients
  /// together.
  double measure();
  /// Which rows of the t-th table measure() found; until apply().
  const ops::TouchedRows& touched_rows(size_t table) const { return groups_[table].touched; }
  /// Takes the next step with gradients times `scale`.
  void apply(double scale);
  /// Every row as dense AdamW would have it after the steps done. A no-op for kinds other than exact.
  void bring_up_to_date();
  /// After the tensors of list_state() were filled from a checkpoint.
  void forget_what_is_up_to_date();
  /// Appends moments and row states under the tables' names.
  void list_state(model::NamedTensors& state) const;

 private:
  class Rows;
  struct Group {
    layers::LocalTable* table;
    std::unique_ptr<Rows> keeper;  // null: rows are never behind
    ops::RowState state;
    ops::TouchedRows touched;
    ops::RowGradient gradient;  // in `buffer`, which lives from step to step
    at::Tensor buffer;
    ops::RowUpdateOptions options;
  };

  const StepRates& rates_;
  std::vector<Group> groups_;
};

}  // namespace memlayers::training
