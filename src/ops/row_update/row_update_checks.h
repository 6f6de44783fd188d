// The checks, and what kernels are told of a step, that the CPU's and CUDA's side of row_update share.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/enum_names.h"
#include "base/error.h"
#include "ops/device_check.h"
#include "ops/row_update/row_update.h"
#include "ops/row_update/row_update_kernel.h"

namespace memlayers::ops {

using Optional = std::optional<at::Tensor>;
using Rates = at::ArrayRef<double>;

inline RowOptimizer kind_of(std::string_view wanted) {
  if (const std::optional<RowOptimizer> kind = base::enum_named<RowOptimizer>(wanted)) return *kind;
  throw base::UsageError(base::concat("row_update: kind must be exact, lazy, rowwise or sgd, got ", wanted));
}

// Checks.

inline void check_table(const at::Tensor& table, at::DeviceType device) {
  base::check(table.defined() && table.dim() == 2 && table.is_contiguous() && table.device().type() == device &&
                  (table.scalar_type() == at::kFloat || table.scalar_type() == at::kBFloat16),
              "row_update: table must be a contiguous [S, D] float32 or bfloat16 tensor on a ", device, " device, got ",
              table.defined() ? base::concat(table.sizes(), " ", table.dtype()) : "an undefined tensor");
  base::check(table.size(0) < int64_t{1} << 40, "row_update: a table of ", table.size(0), " rows is too large");
}

inline void check_state(const at::Tensor& table, const at::Tensor& state, const char* name, at::IntArrayRef sizes,
                        at::ScalarType dtype) {
  base::check(state.defined() && state.sizes() == sizes && state.scalar_type() == dtype && state.is_contiguous(),
              "row_update: state.", name, " must be a contiguous ", sizes, " ", dtype, " tensor (make_row_state), got ",
              state.defined() ? base::concat(state.sizes(), " ", state.dtype()) : "an undefined tensor");
  check_same_device("row_update", base::concat("state.", name), state, table);
}

inline void check_adam_state(const at::Tensor& table, const RowState& state) {
  check_state(table, state.exp_avg, "exp_avg", table.sizes(), at::kFloat);
  check_state(table, state.exp_avg_sq, "exp_avg_sq", table.sizes(), at::kFloat);
}

inline void check_options(const RowUpdateOptions& options, int64_t step, at::ArrayRef<double> learning_rates) {
  const auto fraction = [](double beta) { return beta >= 0 && beta < 1; };
  base::check(fraction(options.beta1) && fraction(options.beta2), "row_update: betas must be in [0, 1), got ",
              options.beta1, " and ", options.beta2);
  base::check(static_cast<float>(options.eps) > 0, "row_update: eps must be positive in float32, got ", options.eps);
  base::check(step >= 1 && step <= std::numeric_limits<int32_t>::max(), "row_update: step must be in [1, 2^31), got ",
              step);
  base::check(static_cast<int64_t>(learning_rates.size()) >= step,
              "row_update: learning_rates must hold a rate for "
              "each of the ",
              step, " steps, got ", learning_rates.size());
}

inline void check_rows_tensor(const at::Tensor& table, const at::Tensor& rows) {
  base::check(rows.dim() == 1 && rows.scalar_type() == at::kLong && rows.is_contiguous(),
              "row_update: gradient.rows must be a contiguous [U] int64 tensor, got ", rows.sizes(), " ", rows.dtype());
  check_same_device("row_update", "gradient.rows", rows, table);
}

inline void check_values(const at::Tensor& table, const at::Tensor& rows, const at::Tensor& values) {
  base::check(values.dim() == 2 && values.size(0) == rows.size(0) && values.size(1) == table.size(1) &&
                  values.scalar_type() == at::kFloat && values.is_contiguous(),
              "row_update: gradient.values must be a contiguous [", rows.size(0), ", ", table.size(1),
              "] float32 tensor, got ", values.sizes(), " ", values.dtype());
  check_same_device("row_update", "gradient.values", values, table);
}

inline void check_dense_gradient(const at::Tensor& table, const at::Tensor& gradient) {
  base::check(gradient.sizes() == table.sizes() && gradient.scalar_type() == at::kFloat,
              "dense_row_update: gradient must be ", table.sizes(), " float32, got ", gradient.sizes(), " ",
              gradient.dtype());
  check_same_device("dense_row_update", "gradient", gradient, table);
}

[[noreturn]] inline void throw_rows_not_ascending(int64_t num_slots, int64_t row, int64_t before) {
  throw base::UsageError(
      base::concat("row_update: gradient.rows must ascend in [0, ", num_slots, "), got ", row, " after ", before));
}
[[noreturn]] inline void throw_step_seen(int64_t row, int64_t seen, int64_t step) {
  throw base::UsageError(
      base::concat("row_update: row ", row, " has already seen step ", seen, ", cannot apply step ", step));
}
[[noreturn]] inline void throw_row_outside(int64_t row, int64_t num_slots) {
  throw base::UsageError(
      base::concat("bring_rows_up_to_date: row ", row, " is outside the table, expected 0 <= row < ", num_slots));
}
[[noreturn]] inline void throw_step_negative(int64_t row, int64_t seen) {
  throw base::UsageError(
      base::concat("bring_rows_up_to_date: state.last_step of row ", row, " must not be negative, got ", seen));
}

// What the kernels need.

inline StepScalars step_scalars(RowOptimizer kind, const RowUpdateOptions& options, int64_t step, double rate) {
  base::check(rate >= 0 && std::isfinite(rate), "row_update: the learning rate of step ", step,
              " must be finite and not negative, got ", rate);
  // 1 - beta^step; a power below half of the last place of 1 is not computed.
  const auto bias = [step](double beta) {
    return double(step) * std::log(beta) < -40 ? 1.0 : 1.0 - std::pow(beta, double(step));
  };
  const bool adam = kind == RowOptimizer::kExact || kind == RowOptimizer::kLazy;
  const bool second_moment = kind != RowOptimizer::kSgd;
  return {.decay = float(1.0 - rate * options.weight_decay),
          .step_size = float(adam ? rate / bias(options.beta1) : rate),
          .inverse_bias = float(second_moment ? 1.0 / std::sqrt(bias(options.beta2)) : 1.0)};
}

/// The AdamW scalars of steps 1, 2, ..., kept from call to call: otherwise one row that was last touched long ago would
/// cost a late step as many powers and roots as there were steps before it. The tables of a model share them.
class KnownScalars {
 public:
  /// Of steps first..step; good until the next call.
  std::span<const StepScalars> of(const RowUpdateOptions& options, int64_t first, int64_t step, Rates rates) {
    const std::array<double, 3> numbers{options.beta1, options.beta2, options.weight_decay};
    if (numbers != numbers_) rates_.clear();
    numbers_ = numbers;
    if (static_cast<int64_t>(rates_.size()) < step) {
      scalars_.resize(static_cast<size_t>(step));
      rates_.resize(static_cast<size_t>(step), std::numeric_limits<double>::quiet_NaN());  // unknown: equal to no rate
    }
    for (int64_t s = first; s <= step; ++s) {
      const auto i = static_cast<size_t>(s - 1);
      if (rates_[i] == rates[i]) continue;
      scalars_[i] = step_scalars(RowOptimizer::kExact, options, s, rates[i]);
      rates_[i] = rates[i];
    }
    return {scalars_.data() + first - 1, static_cast<size_t>(step - first + 1)};
  }

 private:
  std::array<double, 3> numbers_{};
  std::vector<double> rates_;  // of the steps whose scalars are known
  std::vector<StepScalars> scalars_;
};

inline KnownScalars& known_scalars() {
  static thread_local KnownScalars known;
  return known;
}

/// Scalars of steps first..step, and what is known about all of them. Good until the next one is made on this thread.
struct StepTable {
  std::span<const StepScalars> scalars;
  Replay replay;

  StepTable(const RowUpdateOptions& options, int64_t first, int64_t step, Rates learning_rates)
      : scalars(known_scalars().of(options, first, step, learning_rates)) {
    float largest_step = 0, least_decay = 1, most_decay = 1;
    for (const StepScalars& of_step : scalars) {
      largest_step = std::max(largest_step, of_step.step_size);
      least_decay = std::min(least_decay, of_step.decay);
      most_decay = std::max(most_decay, of_step.decay);
    }
    replay.steps = scalars.data();
    replay.first_step = first;
    replay.decays = least_decay != 1 || most_decay != 1;
    // |update| <= step_size * |exp_avg| / eps changes w only from |w| * 2^-25 on. Three more powers of two cover what w
    // itself loses to decay and rounding within a chunk, and the rounding of this bound.
    const bool gentle = least_decay > 0.98f && most_decay <= 1;
    replay.still_factor = gentle ? float(std::ldexp(double(largest_step) / double(float(options.eps)), 28))
                                 : std::numeric_limits<float>::infinity();
  }
};

template <class Row>
UpdateProblem<Row> problem_of(const at::Tensor& table, const RowState& state, int64_t step,
                              const RowUpdateOptions& options) {
  const auto data = [](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.mutable_data_ptr<float>() : nullptr;
  };
  return {.value_dim = table.size(1),
          .table = static_cast<Row*>(table.mutable_data_ptr()),
          .exp_avg = data(state.exp_avg),
          .exp_avg_sq = data(state.exp_avg_sq),
          .grad_scale = float(options.grad_scale),
          .beta1 = float(options.beta1),
          .one_minus_beta1 = float(1 - options.beta1),
          .beta2 = float(options.beta2),
          .one_minus_beta2 = float(1 - options.beta2),
          .eps = float(options.eps),
          .step = step,
          .seed = options.seed,
          .table_index = options.table_index};
}

// The dispatcher's side: its schemas know tensors and plain values, not structs.

inline RowState state_of(const Optional& exp_avg, const Optional& exp_avg_sq, const Optional& last_step) {
  return {exp_avg.value_or(at::Tensor()), exp_avg_sq.value_or(at::Tensor()), last_step.value_or(at::Tensor())};
}

inline RowUpdateOptions options_of(std::string_view kind, Rates numbers, int64_t seed, int64_t table_index) {
  base::check(numbers.size() == 5, "row_update: options must be [beta1, beta2, eps, weight_decay, grad_scale], got ",
              numbers.size(), " numbers");
  return {.kind = kind_of(kind),
          .beta1 = numbers[0],
          .beta2 = numbers[1],
          .eps = numbers[2],
          .weight_decay = numbers[3],
          .grad_scale = numbers[4],
          .seed = static_cast<uint64_t>(seed),
          .table_index = static_cast<uint64_t>(table_index)};
}

}  // namespace memlayers::ops
