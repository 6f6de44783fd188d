// The table's optimizer step on a device: checks, the steps' scalars, launches. Compiled for CUDA, and once more for
// the emulation, where the device is the host and these take the place of the CPU kernels.
#include "ops/row_update/row_update_cuda.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include <algorithm>

#include "ops/column_blocks.h"
#include "ops/cuda/device_type.h"
#include "ops/row_update/row_update_checks.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

/// One call: what all kinds of step need.
struct Step {
  const at::Tensor& table;
  RowState state;
  RowUpdateOptions options;
  int64_t step;
  Rates learning_rates;
  Stream stream;
};

Step begin(const at::Tensor& table, RowState state, const RowUpdateOptions& options, int64_t step, Rates rates) {
  check_table(table, kDeviceType);
  check_options(options, step, rates);
  return {table, std::move(state), options, step, rates, current_stream()};
}

template <class T>
T read(const at::Tensor& tensor, int64_t place, Stream stream) {
  T value{};
  copy_to_host(&value, tensor.const_data_ptr<T>() + place, sizeof(value), stream);
  return value;
}

RowReport ask(const RowQuestion& question, const at::Tensor& near, Stream stream) {
  const at::Tensor answer = at::empty({int64_t(sizeof(RowReport))}, near.options().dtype(at::kByte));
  check_rows(question, static_cast<RowReport*>(answer.mutable_data_ptr()), stream);
  RowReport report{};
  copy_to_host(&report, answer.const_data_ptr(), sizeof(report), stream);
  return report;
}

/// Throws unless `rows` ascend in the table and, for exact, none has seen the step. Returns the lowest step seen.
int64_t check_rows_of_gradient(const Step& s, const at::Tensor& rows) {
  const bool exact = s.options.kind == RowOptimizer::kExact;
  const RowQuestion question{.rows = rows.const_data_ptr<int64_t>(),
                             .count = rows.size(0),
                             .num_slots = s.table.size(0),
                             .ascending = true,
                             .last_step = exact ? s.state.last_step.const_data_ptr<int32_t>() : nullptr,
                             .step = s.step,
                             .must_be_behind = exact};
  const RowReport report = ask(question, s.table, s.stream);
  if (report.bad_row < rows.size(0)) {
    const int64_t before = report.bad_row == 0 ? -1 : read<int64_t>(rows, report.bad_row - 1, s.stream);
    throw_rows_not_ascending(s.table.size(0), read<int64_t>(rows, report.bad_row, s.stream), before);
  }
  if (report.bad_step < rows.size(0)) {
    const int64_t row = read<int64_t>(rows, report.bad_step, s.stream);
    throw_step_seen(row, read<int32_t>(s.state.last_step, row, s.stream), s.step);
  }
  return report.last_step;
}

/// Calls body(problem) with the table's type.
template <class Body>
void with_problem(const Step& s, const int64_t* rows, const float* gradients, Body body) {
  const auto call = [&](auto problem) {
    problem.rows = rows;
    problem.gradients = gradients;
    body(problem);
  };
  if (s.table.scalar_type() == at::kBFloat16) {
    call(problem_of<uint16_t>(s.table, s.state, s.step, s.options));
  } else {
    call(problem_of<float>(s.table, s.state, s.step, s.options));
  }
}

/// Steps from `first` on, with their scalars on the device.
struct DeviceSteps {
  at::Tensor bytes, done;
  Replay replay;

  DeviceSteps(const Step& s, int64_t first) {
    const StepTable steps(s.options, first, s.step, s.learning_rates);
    const auto size = steps.scalars.size() * sizeof(StepScalars);
    bytes = at::empty({int64_t(size)}, s.table.options().dtype(at::kByte));
    copy_to_device(bytes.mutable_data_ptr(), steps.scalars.data(), size, s.stream);
    replay = steps.replay;
    replay.steps = static_cast<const StepScalars*>(bytes.const_data_ptr());
  }

  /// Marks `count` rows as brought up to s.step and remembers what they had seen.
  void claim(const Step& s, const int64_t* rows, int64_t count) {
    done = at::empty({count}, s.table.options().dtype(at::kInt));
    claim_rows(rows, count, s.state.last_step.mutable_data_ptr<int32_t>(), s.step, done.mutable_data_ptr<int32_t>(),
               s.stream);
    replay.done_steps = done.const_data_ptr<int32_t>();
  }
};

void check_state_of(const Step& s) {
  const RowOptimizer kind = s.options.kind;
  if (kind == RowOptimizer::kExact || kind == RowOptimizer::kLazy) check_adam_state(s.table, s.state);
  if (kind == RowOptimizer::kExact) check_state(s.table, s.state.last_step, "last_step", {s.table.size(0)}, at::kInt);
  if (kind != RowOptimizer::kRowwise) return;
  check_state(s.table, s.state.exp_avg_sq, "exp_avg_sq", {s.table.size(0)}, at::kFloat);
  base::check(column_blocks(s.table.size(1)) <= int64_t{1} << kDeviceTreeLevels, "row_update: rows of ",
              s.table.size(1), " columns are longer than the device's kernel can add");
}

/// Rows that have passed their checks.
void run(const Step& s, const at::Tensor& rows, const float* values, int64_t last_step) {
  const int64_t count = rows.size(0);
  const int64_t* row = rows.const_data_ptr<int64_t>();
  if (s.options.kind == RowOptimizer::kExact || s.options.kind == RowOptimizer::kLazy) {
    const bool exact = s.options.kind == RowOptimizer::kExact;
    DeviceSteps steps(s, exact ? last_step + 1 : s.step);
    if (exact) steps.claim(s, row, count);
    with_problem(s, row, values, [&](const auto& problem) { update_adam(problem, steps.replay, count, s.stream); });
    return;
  }
  const StepScalars scalars =
      step_scalars(s.options.kind, s.options, s.step, s.learning_rates[static_cast<size_t>(s.step - 1)]);
  with_problem(s, row, values, [&](const auto& problem) {
    if (s.options.kind == RowOptimizer::kRowwise) return update_rowwise(problem, scalars, count, s.stream);
    update_sgd(problem, scalars, count, s.stream);
  });
}

void update(const at::Tensor& table, const Optional& exp_avg, const Optional& exp_avg_sq, const Optional& last_step,
            const at::Tensor& rows, const at::Tensor& values, int64_t step, Rates learning_rates, std::string_view kind,
            Rates numbers, int64_t seed, int64_t table_index) {
  const c10::DeviceGuard guard(table.device());
  const Step s = begin(table, state_of(exp_avg, exp_avg_sq, last_step), options_of(kind, numbers, seed, table_index),
                       step, learning_rates);
  check_rows_tensor(table, rows);
  check_values(table, rows, values);
  check_state_of(s);
  const int64_t seen = check_rows_of_gradient(s, rows);
  if (rows.size(0) > 0) run(s, rows, values.const_data_ptr<float>(), seen);
}

/// No `rows`: all of them.
void bring_up_to_date(const at::Tensor& table, const Optional& exp_avg, const Optional& exp_avg_sq,
                      const Optional& last_step, const Optional& rows, int64_t step, Rates learning_rates,
                      std::string_view kind, Rates numbers, int64_t seed, int64_t table_index) {
  const RowUpdateOptions options = options_of(kind, numbers, seed, table_index);
  if (options.kind != RowOptimizer::kExact || step == 0) return;
  const c10::DeviceGuard guard(table.device());
  const Step s = begin(table, state_of(exp_avg, exp_avg_sq, last_step), options, step, learning_rates);
  check_state_of(s);
  base::check(!rows || (rows->scalar_type() == at::kLong && rows->is_contiguous()),
              "bring_rows_up_to_date: rows must be a contiguous int64 tensor");
  if (rows) check_same_device("bring_rows_up_to_date", "rows", *rows, table);
  const int64_t count = rows ? rows->numel() : table.size(0);
  const int64_t* row = rows ? rows->const_data_ptr<int64_t>() : nullptr;
  const RowQuestion question{.rows = row,
                             .count = count,
                             .num_slots = table.size(0),
                             .last_step = s.state.last_step.const_data_ptr<int32_t>(),
                             .step = step};
  const RowReport report = ask(question, table, s.stream);
  const auto row_at = [&](int64_t place) { return rows ? read<int64_t>(*rows, place, s.stream) : place; };
  if (report.bad_row < count) throw_row_outside(row_at(report.bad_row), table.size(0));
  if (report.bad_step < count) {
    const int64_t r = row_at(report.bad_step);
    throw_step_negative(r, read<int32_t>(s.state.last_step, r, s.stream));
  }
  if (report.last_step >= step) return;  // nobody is behind
  DeviceSteps steps(s, report.last_step + 1);
  steps.claim(s, row, count);
  with_problem(s, row, nullptr, [&](const auto& problem) { update_adam(problem, steps.replay, count, s.stream); });
}

void update_dense(const at::Tensor& table, const Optional& exp_avg, const Optional& exp_avg_sq,
                  const Optional& last_step, const at::Tensor& gradient, int64_t step, Rates learning_rates,
                  std::string_view kind, Rates numbers, int64_t seed, int64_t table_index) {
  const c10::DeviceGuard guard(table.device());
  const Step s = begin(table, state_of(exp_avg, exp_avg_sq, last_step), options_of(kind, numbers, seed, table_index),
                       step, learning_rates);
  check_adam_state(table, s.state);
  check_dense_gradient(table, gradient);
  const at::Tensor contiguous = gradient.contiguous();
  const DeviceSteps steps(s, step);
  with_problem(s, nullptr, contiguous.const_data_ptr<float>(),
               [&](const auto& problem) { update_adam(problem, steps.replay, table.size(0), s.stream); });
  if (s.state.last_step.defined()) s.state.last_step.fill_(step);
}

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, MEMLAYERS_DEVICE_KEY, library) {
  library.impl("row_update", update);
  library.impl("bring_rows_up_to_date", bring_up_to_date);
  library.impl("dense_row_update", update_dense);
}

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
