// The table's optimizer step: all bag records meet in one sort by slot, then touched rows are updated in place.
//
// Memory and time grow with the rows touched, never with the number of slots S (the state tensors aside).
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "ops/memory_bag/memory_bag.h"

namespace memlayers::ops {

/// Which rows a step touches, and by which bag entries: all records' entries, sorted by slot. The sort is stable, so a
/// row's entries come in record order, then token order, then position in the bag; sums in that order do not depend on
/// threads.
struct TouchedRows {
  at::Tensor rows;        // [U] int64, ascending, distinct
  at::Tensor row_begins;  // [U + 1] int64: where each row's entries begin in `entries`
  at::Tensor entries;     // [E] int64: slot << 32 | number of the entry over all records
  BagRecords records;
  int64_t value_dim = 0;
};

/// Sorts records of one table with rows of `value_dim` numbers; none give U = 0.
/// Throws base::UsageError: shapes or dtypes that do not fit, a slot outside of [0, 2^32), 2^32 entries or more.
TouchedRows sort_records(const BagRecords& records, int64_t value_dim);

/// The gradient of the touched rows only, as tensors.
struct RowGradient {
  at::Tensor rows;    // [U] int64, ascending, distinct
  at::Tensor values;  // [U, D] float32 (float64 for float64 records)
};

/// Sums records into one gradient row per touched slot, in the order of `TouchedRows`.
RowGradient gather_row_gradient(const BagRecords& records, int64_t value_dim);

/// The gradient rows of `touched`, the same bits as gather_row_gradient's. Their values lie in `buffer`, which is made
/// anew where they do not fit or would leave a third of it empty, and may be kept from step to step: fresh memory of
/// that size costs more than the sums.
RowGradient sum_rows(const TouchedRows& touched, at::Tensor& buffer);

/// Sum of squares of all entries, accumulated in float64 in the order of row_squares.h. Those of equal slices of the
/// columns (of 16 columns or a multiple, a power of two of slices), added in a BlockTree (column_blocks.h), give the
/// bits of the whole.
double squared_norm(const RowGradient& gradient);

enum class RowOptimizer { kExact, kLazy, kRowwise, kSgd };
constexpr auto enum_names(RowOptimizer) {
  return std::array{std::pair{RowOptimizer::kExact, "exact"}, std::pair{RowOptimizer::kLazy, "lazy"},
                    std::pair{RowOptimizer::kRowwise, "rowwise"}, std::pair{RowOptimizer::kSgd, "sgd"}};
}

/// Step sizes. Steps count from 1; learning_rates[s - 1] is the rate of step s and reaches at least to `step`, since
/// replaying a skipped step needs the rate it had.
struct RowUpdateOptions {
  RowOptimizer kind = RowOptimizer::kExact;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double weight_decay = 0.1;  // decoupled: w *= 1 - rate * weight_decay
  double grad_scale = 1.0;    // multiplies the gradient (the clip's factor)
  uint64_t seed = 0;          // of the stochastic rounding of a bfloat16 table: keyed by (seed, step, table, element)
  uint64_t table_index = 0;
};

/// State beside the table, allocated by make_row_state: which tensors exist depends on the kind.
struct RowState {
  at::Tensor exp_avg;     // [S, D] float32: exact, lazy
  at::Tensor exp_avg_sq;  // [S, D] float32: exact, lazy; [S] float32: rowwise (one scalar a row: mean of g^2)
  at::Tensor last_step;   // [S] int32: exact only; the step a row was last brought up to date
};

RowState make_row_state(const at::Tensor& table, RowOptimizer kind);

/// One optimizer step, number `step` (>= 1), on the touched rows, in place.
///   exact    replays a row's skipped zero-gradient steps, then AdamW: bit-identical to dense_row_update run every step
///   lazy     AdamW of touched rows only, bias correction by global step (as SparseAdam, with decoupled decay on touch)
///   rowwise  v_row = beta2 * v_row + (1 - beta2) * mean(g^2); w -= rate * g / (sqrt(v_row / (1 - beta2^t)) + eps);
///            the squares are added in the order of column_blocks.h; decay on touch
///   sgd      w -= rate * g; decay on touch
/// table [S, D] float32 or bfloat16 (bfloat16: rounded stochastically, exact is still reproducible from (seed, step)).
void row_update(at::Tensor& table, RowState& state, const RowGradient& gradient, int64_t step,
                const std::vector<double>& learning_rates, const RowUpdateOptions& options);

/// Brings `rows` ([U] int64, any order, may repeat) up to date: as if every skipped step up to and including `step`
/// had run with gradient zero. A no-op for every kind but exact. Call before reading a row after step `step`.
void bring_rows_up_to_date(at::Tensor& table, RowState& state, const at::Tensor& rows, int64_t step,
                           const std::vector<double>& learning_rates, const RowUpdateOptions& options);
/// All rows (checkpoints, export, evaluation).
void bring_all_up_to_date(at::Tensor& table, RowState& state, int64_t step, const std::vector<double>& learning_rates,
                          const RowUpdateOptions& options);

/// The definition that `exact` must equal bit for bit: AdamW over every row with a dense gradient [S, D].
void dense_row_update(at::Tensor& table, RowState& state, const at::Tensor& gradient, int64_t step,
                      const std::vector<double>& learning_rates, const RowUpdateOptions& options);

}  // namespace memlayers::ops
