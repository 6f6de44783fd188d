#include "ops/row_update/row_update.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "base/enum_names.h"
#include "base/error.h"
#include "ops/kernel_choice.h"
#include "ops/row_update/row_update_checks.h"
#include "ops/row_update/row_update_kernel.h"
#include "ops/without_gradient.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kRowsPerTask = 32;

const RowUpdateKernel& kernel() {
  static const RowUpdateKernel& chosen =
      choose_kernel("row_update", baseline::kRowUpdateKernel, avx2::kRowUpdateKernel, avx512::kRowUpdateKernel);
  return chosen;
}

// Checks.

void check_rows_ascend(const at::Tensor& table, const at::Tensor& rows) {
  check_rows_tensor(table, rows);
  const int64_t* row = rows.const_data_ptr<int64_t>();
  int64_t before = -1;
  for (int64_t u = 0; u < rows.size(0); ++u) {
    if (row[u] <= before || row[u] >= table.size(0)) throw_rows_not_ascending(table.size(0), row[u], before);
    before = row[u];
  }
}

/// Calls body(functions, problem) with the kernel of the table's dtype.
template <class Body>
void with_problem(const at::Tensor& table, const RowState& state, int64_t step, const RowUpdateOptions& options,
                  Body body) {
  if (table.scalar_type() == at::kBFloat16) {
    body(kernel().bfloat16, problem_of<uint16_t>(table, state, step, options));
  } else {
    body(kernel().float32, problem_of<float>(table, state, step, options));
  }
}

/// Calls update(problem, first, last) over ranges of `count` rows, in parallel.
template <class Problem, class Update>
void for_row_ranges(const Problem& problem, int64_t count, const Update& update) {
  at::parallel_for(0, count, kRowsPerTask, [&](int64_t first, int64_t last) { update(problem, first, last); });
}

/// AdamW on `count` rows (null `rows`: the first ones; null gradients: zero), after the skipped steps where `done`
/// tells of them.
void run_adam(const at::Tensor& table, const RowState& state, int64_t count, const int64_t* rows,
              const float* gradients, const std::vector<int32_t>* done, int64_t step,
              at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  if (count == 0 || table.size(1) == 0) return;
  const int64_t first_step = done ? *std::min_element(done->begin(), done->end()) + 1 : step;
  StepTable steps(options, first_step, step, learning_rates);
  if (done) steps.replay.done_steps = done->data();
  with_problem(table, state, step, options, [&](const auto& functions, auto problem) {
    problem.rows = rows;
    problem.num_rows = count;
    problem.gradients = gradients;
    for_row_ranges(problem, count, [&](const auto& whole, int64_t first, int64_t last) {
      functions.adam(whole, steps.replay, first, last);
    });
  });
}

void update_exact(const at::Tensor& table, const RowState& state, const at::Tensor& rows, const float* gradients,
                  int64_t step, at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  check_adam_state(table, state);
  check_state(table, state.last_step, "last_step", {table.size(0)}, at::kInt);
  const int64_t* row = rows.const_data_ptr<int64_t>();
  int32_t* last_step = state.last_step.mutable_data_ptr<int32_t>();
  std::vector<int32_t> done(static_cast<size_t>(rows.size(0)));
  for (int64_t u = 0; u < rows.size(0); ++u) {
    if (last_step[row[u]] < 0 || last_step[row[u]] >= step) throw_step_seen(row[u], last_step[row[u]], step);
    done[static_cast<size_t>(u)] = last_step[row[u]];
  }
  run_adam(table, state, rows.size(0), row, gradients, &done, step, learning_rates, options);
  for (int64_t u = 0; u < rows.size(0); ++u) last_step[row[u]] = static_cast<int32_t>(step);
}

void update_touched(const at::Tensor& table, const RowState& state, const at::Tensor& rows, const float* gradients,
                    int64_t step, at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  if (options.kind == RowOptimizer::kRowwise)
    check_state(table, state.exp_avg_sq, "exp_avg_sq", {table.size(0)}, at::kFloat);
  const StepScalars scalars = step_scalars(options.kind, options, step, learning_rates[static_cast<size_t>(step - 1)]);
  if (table.size(1) == 0) return;
  with_problem(table, state, step, options, [&](const auto& functions, auto problem) {
    problem.rows = rows.const_data_ptr<int64_t>();
    problem.num_rows = rows.size(0);
    problem.gradients = gradients;
    const auto update = options.kind == RowOptimizer::kRowwise ? functions.rowwise : functions.sgd;
    for_row_ranges(problem, rows.size(0),
                   [&](const auto& whole, int64_t first, int64_t last) { update(whole, scalars, first, last); });
  });
}

void update(const at::Tensor& table, const RowState& state, const at::Tensor& rows, const float* gradients,
            int64_t step, at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  check_table(table, at::kCPU);
  check_options(options, step, learning_rates);
  check_rows_ascend(table, rows);
  switch (options.kind) {
    case RowOptimizer::kExact:
      return update_exact(table, state, rows, gradients, step, learning_rates, options);
    case RowOptimizer::kLazy:
      check_adam_state(table, state);
      return run_adam(table, state, rows.size(0), rows.const_data_ptr<int64_t>(), gradients, nullptr, step,
                      learning_rates, options);
    default:
      return update_touched(table, state, rows, gradients, step, learning_rates, options);
  }
}

/// Null `rows`: all of them.
void bring_up_to_date(const at::Tensor& table, const RowState& state, const at::Tensor* rows, int64_t step,
                      at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  if (options.kind != RowOptimizer::kExact || step == 0) return;
  check_table(table, at::kCPU);
  check_options(options, step, learning_rates);
  check_adam_state(table, state);
  check_state(table, state.last_step, "last_step", {table.size(0)}, at::kInt);
  base::check(!rows || (rows->scalar_type() == at::kLong && rows->is_contiguous()),
              "bring_rows_up_to_date: rows must be a contiguous int64 tensor");
  if (rows) check_same_device("bring_rows_up_to_date", "rows", *rows, table);
  const int64_t* row = rows ? rows->const_data_ptr<int64_t>() : nullptr;
  const int64_t count = rows ? rows->numel() : table.size(0);
  int32_t* last_step = state.last_step.mutable_data_ptr<int32_t>();
  std::vector<int64_t> behind;
  std::vector<int32_t> done;
  try {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t r = row ? row[i] : i;
      if (r < 0 || r >= table.size(0)) throw_row_outside(r, table.size(0));
      if (last_step[r] < 0) throw_step_negative(r, last_step[r]);
      if (last_step[r] >= step) continue;
      behind.push_back(r);
      done.push_back(last_step[r]);
      last_step[r] = static_cast<int32_t>(step);  // so that a repeated row counts once
    }
    run_adam(table, state, static_cast<int64_t>(behind.size()), behind.data(), nullptr, &done, step, learning_rates,
             options);
  } catch (...) {  // a bad row, step or rate: no row has been written
    for (size_t i = 0; i < behind.size(); ++i) last_step[behind[i]] = done[i];
    throw;
  }
}

void update_dense(const at::Tensor& table, const RowState& state, const at::Tensor& gradient, int64_t step,
                  at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  check_table(table, at::kCPU);
  check_options(options, step, learning_rates);
  check_adam_state(table, state);
  check_dense_gradient(table, gradient);
  const at::Tensor contiguous = gradient.contiguous();
  run_adam(table, state, table.size(0), nullptr, contiguous.const_data_ptr<float>(), nullptr, step, learning_rates,
           options);
  if (state.last_step.defined()) state.last_step.fill_(step);
}

// The dispatcher's side: its schemas know tensors and plain values, not structs.

Optional optional(const at::Tensor& tensor) { return tensor.defined() ? Optional(tensor) : std::nullopt; }

std::array<double, 5> numbers_of(const RowUpdateOptions& options) {
  return {options.beta1, options.beta2, options.eps, options.weight_decay, options.grad_scale};
}

void update_cpu(const at::Tensor& table, const Optional& exp_avg, const Optional& exp_avg_sq, const Optional& last_step,
                const at::Tensor& rows, const at::Tensor& values, int64_t step, Rates learning_rates,
                std::string_view kind, Rates numbers, int64_t seed, int64_t table_index) {
  check_table(table, at::kCPU);
  check_values(table, rows, values);
  update(table, state_of(exp_avg, exp_avg_sq, last_step), rows, values.const_data_ptr<float>(), step, learning_rates,
         options_of(kind, numbers, seed, table_index));
}

void bring_up_to_date_cpu(const at::Tensor& table, const Optional& exp_avg, const Optional& exp_avg_sq,
                          const Optional& last_step, const Optional& rows, int64_t step, Rates learning_rates,
                          std::string_view kind, Rates numbers, int64_t seed, int64_t table_index) {
  bring_up_to_date(table, state_of(exp_avg, exp_avg_sq, last_step), rows ? &*rows : nullptr, step, learning_rates,
                   options_of(kind, numbers, seed, table_index));
}

void update_dense_cpu(const at::Tensor& table, const Optional& exp_avg, const Optional& exp_avg_sq,
                      const Optional& last_step, const at::Tensor& gradient, int64_t step, Rates learning_rates,
                      std::string_view kind, Rates numbers, int64_t seed, int64_t table_index) {
  update_dense(table, state_of(exp_avg, exp_avg_sq, last_step), gradient, step, learning_rates,
               options_of(kind, numbers, seed, table_index));
}

using UpdateSignature = decltype(update_cpu);
using BringSignature = decltype(bring_up_to_date_cpu);
using DenseSignature = decltype(update_dense_cpu);

template <class Signature>
c10::TypedOperatorHandle<Signature> find_operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

void call_bring_up_to_date(const at::Tensor& table, const RowState& state, const Optional& rows, int64_t step,
                           const std::vector<double>& learning_rates, const RowUpdateOptions& options) {
  static const auto op = find_operator<BringSignature>("memlayers::bring_rows_up_to_date");
  op.call(table, optional(state.exp_avg), optional(state.exp_avg_sq), optional(state.last_step), rows, step,
          learning_rates, base::enum_name(options.kind), numbers_of(options), static_cast<int64_t>(options.seed),
          static_cast<int64_t>(options.table_index));
}

/// Large pages are the host's; a device's memory comes from torch.
at::Tensor zero_moments(const at::Tensor& table) {
  if (table.is_cpu()) return allocate_rows(table.size(0), table.size(1), at::kFloat).zero_();
  return at::zeros(table.sizes(), table.options().dtype(at::kFloat).requires_grad(false));
}

}  // namespace

RowState make_row_state(const at::Tensor& table, RowOptimizer kind) {
  check_table(table, table.defined() ? table.device().type() : at::kCPU);
  RowState state;
  const auto options = table.options().dtype(at::kFloat).requires_grad(false);
  if (kind == RowOptimizer::kExact || kind == RowOptimizer::kLazy) {
    state.exp_avg = zero_moments(table);
    state.exp_avg_sq = zero_moments(table);
  }
  if (kind == RowOptimizer::kRowwise) state.exp_avg_sq = at::zeros({table.size(0)}, options);
  if (kind == RowOptimizer::kExact) state.last_step = at::zeros({table.size(0)}, options.dtype(at::kInt));
  return state;
}

void row_update(at::Tensor& table, RowState& state, const RowGradient& gradient, int64_t step,
                const std::vector<double>& learning_rates, const RowUpdateOptions& options) {
  static const auto op = find_operator<UpdateSignature>("memlayers::row_update");
  op.call(table, optional(state.exp_avg), optional(state.exp_avg_sq), optional(state.last_step), gradient.rows,
          gradient.values, step, learning_rates, base::enum_name(options.kind), numbers_of(options),
          static_cast<int64_t>(options.seed), static_cast<int64_t>(options.table_index));
}

void bring_rows_up_to_date(at::Tensor& table, RowState& state, const at::Tensor& rows, int64_t step,
                           const std::vector<double>& learning_rates, const RowUpdateOptions& options) {
  call_bring_up_to_date(table, state, rows, step, learning_rates, options);
}

void bring_all_up_to_date(at::Tensor& table, RowState& state, int64_t step, const std::vector<double>& learning_rates,
                          const RowUpdateOptions& options) {
  call_bring_up_to_date(table, state, std::nullopt, step, learning_rates, options);
}

void dense_row_update(at::Tensor& table, RowState& state, const at::Tensor& gradient, int64_t step,
                      const std::vector<double>& learning_rates, const RowUpdateOptions& options) {
  static const auto op = find_operator<DenseSignature>("memlayers::dense_row_update");
  op.call(table, optional(state.exp_avg), optional(state.exp_avg_sq), optional(state.last_step), gradient, step,
          learning_rates, base::enum_name(options.kind), numbers_of(options), static_cast<int64_t>(options.seed),
          static_cast<int64_t>(options.table_index));
}

// `options` is [beta1, beta2, eps, weight_decay, grad_scale].
TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def(
      "row_update(Tensor(a!) table, Tensor(b!)? exp_avg, Tensor(c!)? exp_avg_sq, Tensor(d!)? last_step, Tensor rows, "
      "Tensor values, int step, float[] learning_rates, str kind, float[] options, int seed, int table_index) -> ()");
  library.def(
      "bring_rows_up_to_date(Tensor(a!) table, Tensor(b!)? exp_avg, Tensor(c!)? exp_avg_sq, Tensor(d!)? last_step, "
      "Tensor? rows, int step, float[] learning_rates, str kind, float[] options, int seed, int table_index) -> ()");
  library.def(
      "dense_row_update(Tensor(a!) table, Tensor(b!)? exp_avg, Tensor(c!)? exp_avg_sq, Tensor(d!)? last_step, Tensor "
      "gradient, int step, float[] learning_rates, str kind, float[] options, int seed, int table_index) -> ()");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("row_update", update_cpu);
  library.impl("bring_rows_up_to_date", bring_up_to_date_cpu);
  library.impl("dense_row_update", update_dense_cpu);
}
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) {
  without_gradient(library, {"bring_rows_up_to_date", "dense_row_update", "row_update"});
}

}  // namespace memlayers::ops
