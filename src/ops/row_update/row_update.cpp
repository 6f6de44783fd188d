#include "ops/row_update/row_update.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ops/kernel_choice.h"
#include "ops/row_update/row_sums.h"
#include "ops/row_update/row_update_kernel.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kRowsPerTask = 32;

const RowUpdateKernel& kernel() {
  static const RowUpdateKernel& chosen =
      choose_kernel("row_update", baseline::kRowUpdateKernel, avx2::kRowUpdateKernel, avx512::kRowUpdateKernel);
  return chosen;
}

std::string_view kind_name(RowOptimizer kind) {
  for (const auto& [value, name] : enum_names(kind)) {
    if (value == kind) return name;
  }
  return "unknown";
}

RowOptimizer kind_of(std::string_view wanted) {
  for (const auto& [value, name] : enum_names(RowOptimizer{})) {
    if (name == wanted) return value;
  }
  throw base::UsageError(base::concat("row_update: kind must be exact, lazy, rowwise or sgd, got ", wanted));
}

// Checks.

void check_table(const at::Tensor& table) {
  base::check(table.defined() && table.dim() == 2 && table.is_contiguous() && table.device().is_cpu() &&
                  (table.scalar_type() == at::kFloat || table.scalar_type() == at::kBFloat16),
              "row_update: table must be a contiguous [S, D] float32 or bfloat16 tensor on the CPU, got ",
              table.defined() ? base::concat(table.sizes(), " ", table.dtype()) : "an undefined tensor");
  base::check(table.size(0) < int64_t{1} << 40, "row_update: a table of ", table.size(0), " rows is too large");
}

void check_state(const at::Tensor& state, const char* name, at::IntArrayRef sizes, at::ScalarType dtype) {
  base::check(state.defined() && state.sizes() == sizes && state.scalar_type() == dtype && state.is_contiguous(),
              "row_update: state.", name, " must be a contiguous ", sizes, " ", dtype, " tensor (make_row_state), got ",
              state.defined() ? base::concat(state.sizes(), " ", state.dtype()) : "an undefined tensor");
}

void check_adam_state(const at::Tensor& table, const RowState& state) {
  check_state(state.exp_avg, "exp_avg", table.sizes(), at::kFloat);
  check_state(state.exp_avg_sq, "exp_avg_sq", table.sizes(), at::kFloat);
}

void check_options(const RowUpdateOptions& options, int64_t step, at::ArrayRef<double> learning_rates) {
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

void check_values(const at::Tensor& table, const at::Tensor& rows, const at::Tensor& values) {
  base::check(values.dim() == 2 && values.size(0) == rows.size(0) && values.size(1) == table.size(1) &&
                  values.scalar_type() == at::kFloat && values.is_contiguous(),
              "row_update: gradient.values must be a contiguous [", rows.size(0), ", ", table.size(1),
              "] float32 tensor, got ", values.sizes(), " ", values.dtype());
}

void check_rows(const at::Tensor& table, const at::Tensor& rows) {
  base::check(rows.dim() == 1 && rows.scalar_type() == at::kLong && rows.is_contiguous(),
              "row_update: gradient.rows must be a contiguous [U] int64 tensor, got ", rows.sizes(), " ", rows.dtype());
  const int64_t* row = rows.const_data_ptr<int64_t>();
  int64_t before = -1;
  for (int64_t u = 0; u < rows.size(0); ++u) {
    base::check(row[u] > before && row[u] < table.size(0), "row_update: gradient.rows must ascend in [0, ",
                table.size(0), "), got ", row[u], " after ", before);
    before = row[u];
  }
}

// What the kernels need.

StepScalars step_scalars(RowOptimizer kind, const RowUpdateOptions& options, int64_t step, double rate) {
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

/// Scalars of steps first..step, and what is known about all of them.
struct StepTable {
  std::vector<StepScalars> scalars;
  Replay replay;

  StepTable(const RowUpdateOptions& options, int64_t first, int64_t step, at::ArrayRef<double> learning_rates) {
    float largest_step = 0, least_decay = 1, most_decay = 1;
    for (int64_t s = first; s <= step; ++s) {
      scalars.push_back(step_scalars(RowOptimizer::kExact, options, s, learning_rates[static_cast<size_t>(s - 1)]));
      largest_step = std::max(largest_step, scalars.back().step_size);
      least_decay = std::min(least_decay, scalars.back().decay);
      most_decay = std::max(most_decay, scalars.back().decay);
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

/// Where the gradients of the rows come from: a [U, D] array, records that are summed on the way, or nowhere (zero).
struct Gradients {
  const float* values = nullptr;
  const RowSums<float>* sums = nullptr;
};

/// Calls update(problem, first, last) over ranges of `count` rows, in parallel, with their gradients in the problem.
template <class Problem, class Update>
void for_row_ranges(const Problem& problem, int64_t count, const Gradients& gradients, const Update& update) {
  if (gradients.sums) {
    for_summed_rows(*gradients.sums, [&](int64_t first, int64_t last, const float* values) {
      Problem part = problem;
      part.gradients = values;
      part.first_gradient = first;
      update(part, first, last);
    });
    return;
  }
  Problem whole = problem;
  whole.gradients = gradients.values;
  at::parallel_for(0, count, kRowsPerTask, [&](int64_t first, int64_t last) { update(whole, first, last); });
}

/// AdamW on `count` rows (null `rows`: the first ones), after the skipped steps where `done` tells of them.
void run_adam(const at::Tensor& table, const RowState& state, int64_t count, const int64_t* rows,
              const Gradients& gradients, const std::vector<int32_t>* done, int64_t step,
              at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  if (count == 0) return;
  const int64_t first_step = done ? *std::min_element(done->begin(), done->end()) + 1 : step;
  StepTable steps(options, first_step, step, learning_rates);
  if (done) steps.replay.done_steps = done->data();
  with_problem(table, state, step, options, [&](const auto& functions, auto problem) {
    problem.rows = rows;
    for_row_ranges(problem, count, gradients, [&](const auto& part, int64_t first, int64_t last) {
      functions.adam(part, steps.replay, first, last);
    });
  });
}

void update_exact(const at::Tensor& table, const RowState& state, const at::Tensor& rows, const Gradients& gradients,
                  int64_t step, at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  check_adam_state(table, state);
  check_state(state.last_step, "last_step", {table.size(0)}, at::kInt);
  const int64_t* row = rows.const_data_ptr<int64_t>();
  int32_t* last_step = state.last_step.mutable_data_ptr<int32_t>();
  std::vector<int32_t> done(static_cast<size_t>(rows.size(0)));
  for (int64_t u = 0; u < rows.size(0); ++u) {
    base::check(last_step[row[u]] >= 0 && last_step[row[u]] < step, "row_update: row ", row[u],
                " has already seen step ", last_step[row[u]], ", cannot apply step ", step);
    done[static_cast<size_t>(u)] = last_step[row[u]];
  }
  run_adam(table, state, rows.size(0), row, gradients, &done, step, learning_rates, options);
  for (int64_t u = 0; u < rows.size(0); ++u) last_step[row[u]] = static_cast<int32_t>(step);
}

void update_touched(const at::Tensor& table, const RowState& state, const at::Tensor& rows, const Gradients& gradients,
                    int64_t step, at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  if (options.kind == RowOptimizer::kRowwise) check_state(state.exp_avg_sq, "exp_avg_sq", {table.size(0)}, at::kFloat);
  const StepScalars scalars = step_scalars(options.kind, options, step, learning_rates[static_cast<size_t>(step - 1)]);
  with_problem(table, state, step, options, [&](const auto& functions, auto problem) {
    problem.rows = rows.const_data_ptr<int64_t>();
    const auto update = options.kind == RowOptimizer::kRowwise ? functions.rowwise : functions.sgd;
    for_row_ranges(problem, rows.size(0), gradients,
                   [&](const auto& part, int64_t first, int64_t last) { update(part, scalars, first, last); });
  });
}

void update(const at::Tensor& table, const RowState& state, const at::Tensor& rows, const Gradients& gradients,
            int64_t step, at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  check_table(table);
  check_options(options, step, learning_rates);
  check_rows(table, rows);
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
  check_table(table);
  check_options(options, step, learning_rates);
  check_adam_state(table, state);
  check_state(state.last_step, "last_step", {table.size(0)}, at::kInt);
  base::check(!rows || (rows->scalar_type() == at::kLong && rows->is_contiguous()),
              "bring_rows_up_to_date: rows must be a contiguous int64 tensor");
  const int64_t* row = rows ? rows->const_data_ptr<int64_t>() : nullptr;
  const int64_t count = rows ? rows->numel() : table.size(0);
  for (int64_t i = 0; row && i < count; ++i) {
    base::check(row[i] >= 0 && row[i] < table.size(0), "bring_rows_up_to_date: row ", row[i],
                " is outside the table, expected 0 <= row < ", table.size(0));
  }
  int32_t* last_step = state.last_step.mutable_data_ptr<int32_t>();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t r = row ? row[i] : i;
    base::check(last_step[r] >= 0, "bring_rows_up_to_date: state.last_step of row ", r, " must not be negative, got ",
                last_step[r]);
  }
  std::vector<int64_t> behind;
  std::vector<int32_t> done;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t r = row ? row[i] : i;
    if (last_step[r] >= step) continue;
    behind.push_back(r);
    done.push_back(last_step[r]);
    last_step[r] = static_cast<int32_t>(step);  // so that a repeated row counts once
  }
  try {
    run_adam(table, state, static_cast<int64_t>(behind.size()), behind.data(), {}, &done, step, learning_rates,
             options);
  } catch (...) {  // a bad rate: no row has been written
    for (size_t i = 0; i < behind.size(); ++i) last_step[behind[i]] = done[i];
    throw;
  }
}

void update_dense(const at::Tensor& table, const RowState& state, const at::Tensor& gradient, int64_t step,
                  at::ArrayRef<double> learning_rates, const RowUpdateOptions& options) {
  check_table(table);
  check_options(options, step, learning_rates);
  check_adam_state(table, state);
  base::check(gradient.sizes() == table.sizes() && gradient.scalar_type() == at::kFloat,
              "dense_row_update: gradient must be ", table.sizes(), " float32, got ", gradient.sizes(), " ",
              gradient.dtype());
  const at::Tensor contiguous = gradient.contiguous();
  run_adam(table, state, table.size(0), nullptr, {.values = contiguous.const_data_ptr<float>()}, nullptr, step,
           learning_rates, options);
  if (state.last_step.defined()) state.last_step.fill_(step);
}

// The dispatcher's side: its schemas know tensors and plain values, not structs.

using Optional = std::optional<at::Tensor>;
using Rates = at::ArrayRef<double>;

Optional optional(const at::Tensor& tensor) { return tensor.defined() ? Optional(tensor) : std::nullopt; }

RowState state_of(const Optional& exp_avg, const Optional& exp_avg_sq, const Optional& last_step) {
  return {exp_avg.value_or(at::Tensor()), exp_avg_sq.value_or(at::Tensor()), last_step.value_or(at::Tensor())};
}

RowUpdateOptions options_of(std::string_view kind, Rates numbers, int64_t seed, int64_t table_index) {
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

std::array<double, 5> numbers_of(const RowUpdateOptions& options) {
  return {options.beta1, options.beta2, options.eps, options.weight_decay, options.grad_scale};
}

void update_cpu(const at::Tensor& table, const Optional& exp_avg, const Optional& exp_avg_sq, const Optional& last_step,
                const at::Tensor& rows, const at::Tensor& values, int64_t step, Rates learning_rates,
                std::string_view kind, Rates numbers, int64_t seed, int64_t table_index) {
  check_table(table);
  check_values(table, rows, values);
  update(table, state_of(exp_avg, exp_avg_sq, last_step), rows, {.values = values.const_data_ptr<float>()}, step,
         learning_rates, options_of(kind, numbers, seed, table_index));
}

void update_touched_cpu(const at::Tensor& table, const Optional& exp_avg, const Optional& exp_avg_sq,
                        const Optional& last_step, const at::Tensor& rows, const at::Tensor& row_begins,
                        const at::Tensor& entries, at::TensorList weights, at::TensorList grad_outputs, int64_t step,
                        Rates learning_rates, std::string_view kind, Rates numbers, int64_t seed, int64_t table_index) {
  check_table(table);
  std::vector<at::Tensor> weight, grad;
  for (size_t r = 0; r < weights.size(); ++r) {
    base::check(weights[r].scalar_type() == at::kFloat && grad_outputs[r].scalar_type() == at::kFloat &&
                    grad_outputs[r].size(1) == table.size(1),
                "row_update: records must be float32 with grad_output [N, ", table.size(1), "], got ",
                weights[r].dtype(), " and ", grad_outputs[r].sizes(), " ", grad_outputs[r].dtype());
    weight.push_back(weights[r].contiguous());
    grad.push_back(grad_outputs[r].contiguous());
  }
  const RowSums<float> sums(row_begins, entries, weight, grad, table.size(1));
  update(table, state_of(exp_avg, exp_avg_sq, last_step), rows, {.sums = &sums}, step, learning_rates,
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
using TouchedSignature = decltype(update_touched_cpu);
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
          learning_rates, kind_name(options.kind), numbers_of(options), static_cast<int64_t>(options.seed),
          static_cast<int64_t>(options.table_index));
}

}  // namespace

RowState make_row_state(const at::Tensor& table, RowOptimizer kind) {
  check_table(table);
  RowState state;
  const auto options = table.options().dtype(at::kFloat).requires_grad(false);
  if (kind == RowOptimizer::kExact || kind == RowOptimizer::kLazy) {
    state.exp_avg = allocate_rows(table.size(0), table.size(1), at::kFloat).zero_();
    state.exp_avg_sq = allocate_rows(table.size(0), table.size(1), at::kFloat).zero_();
  }
  if (kind == RowOptimizer::kRowwise) state.exp_avg_sq = at::zeros({table.size(0)}, options);
  if (kind == RowOptimizer::kExact) state.last_step = at::zeros({table.size(0)}, options.dtype(at::kInt));
  return state;
}

void row_update(at::Tensor& table, RowState& state, const RowGradient& gradient, int64_t step,
                const std::vector<double>& learning_rates, const RowUpdateOptions& options) {
  static const auto op = find_operator<UpdateSignature>("memlayers::row_update");
  op.call(table, optional(state.exp_avg), optional(state.exp_avg_sq), optional(state.last_step), gradient.rows,
          gradient.values, step, learning_rates, kind_name(options.kind), numbers_of(options),
          static_cast<int64_t>(options.seed), static_cast<int64_t>(options.table_index));
}

void row_update(at::Tensor& table, RowState& state, const TouchedRows& touched, int64_t step,
                const std::vector<double>& learning_rates, const RowUpdateOptions& options) {
  static const auto op = find_operator<TouchedSignature>("memlayers::row_update_touched");
  std::vector<at::Tensor> weights, grad_outputs;
  for (const BagRecord& record : touched.records) {
    weights.push_back(record.weights);
    grad_outputs.push_back(record.grad_output);
  }
  op.call(table, optional(state.exp_avg), optional(state.exp_avg_sq), optional(state.last_step), touched.rows,
          touched.row_begins, touched.entries, weights, grad_outputs, step, learning_rates, kind_name(options.kind),
          numbers_of(options), static_cast<int64_t>(options.seed), static_cast<int64_t>(options.table_index));
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
          learning_rates, kind_name(options.kind), numbers_of(options), static_cast<int64_t>(options.seed),
          static_cast<int64_t>(options.table_index));
}

// `options` is [beta1, beta2, eps, weight_decay, grad_scale].
TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def(
      "row_update(Tensor(a!) table, Tensor(b!)? exp_avg, Tensor(c!)? exp_avg_sq, Tensor(d!)? last_step, Tensor rows, "
      "Tensor values, int step, float[] learning_rates, str kind, float[] options, int seed, int table_index) -> ()");
  library.def(
      "row_update_touched(Tensor(a!) table, Tensor(b!)? exp_avg, Tensor(c!)? exp_avg_sq, Tensor(d!)? last_step, Tensor "
      "rows, Tensor row_begins, Tensor entries, Tensor[] weights, Tensor[] grad_outputs, int step, float[] "
      "learning_rates, str kind, float[] options, int seed, int table_index) -> ()");
  library.def(
      "bring_rows_up_to_date(Tensor(a!) table, Tensor(b!)? exp_avg, Tensor(c!)? exp_avg_sq, Tensor(d!)? last_step, "
      "Tensor? rows, int step, float[] learning_rates, str kind, float[] options, int seed, int table_index) -> ()");
  library.def(
      "dense_row_update(Tensor(a!) table, Tensor(b!)? exp_avg, Tensor(c!)? exp_avg_sq, Tensor(d!)? last_step, Tensor "
      "gradient, int step, float[] learning_rates, str kind, float[] options, int seed, int table_index) -> ()");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("row_update", update_cpu);
  library.impl("row_update_touched", update_touched_cpu);
  library.impl("bring_rows_up_to_date", bring_up_to_date_cpu);
  library.impl("dense_row_update", update_dense_cpu);
}

}  // namespace memlayers::ops
