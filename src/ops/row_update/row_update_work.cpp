// The least that the way from records to updated rows does.
#include <ATen/ATen.h>

#include "ops/op_work.h"

namespace memlayers::ops {
namespace {

/// (row begins [U + 1], entries [E], weights, output gradients, values [U, D]): entries are summed into rows.
OpWork row_sums_work(const OpCall& call) {
  const at::Tensor values = call.inputs[4].toTensor();
  const double entries = double(call.inputs[1].toTensor().numel());
  return {2 * entries * double(values.size(1)), 0, bytes_of(call.inputs.slice(0, 4)), bytes_of_part(values), 0};
}

/// (values [U, D])
OpWork row_norm_work(const OpCall& call) {
  const at::Tensor values = call.inputs[0].toTensor();
  return {2 * double(values.numel()), 0, bytes_of_part(values), 0, 0};
}

/// The touched rows' share of a tensor [S, ...]; 0 for state that the optimizer's kind does not have.
double bytes_of_rows(const at::IValue& value, double rows) {
  if (!value.isTensor() || !value.toTensor().defined()) return 0;
  const at::Tensor tensor = value.toTensor();
  return rows * double(tensor.numel()) / double(tensor.size(0)) * double(tensor.element_size());
}

/// (table, first moments, second moments, last steps, rows [U], values [U, D], ...): rows, moments and steps are read
/// and written.
OpWork row_update_work(const OpCall& call) {
  const double rows = double(call.inputs[4].toTensor().numel());
  double state = 0;
  for (size_t i = 0; i < 4; ++i) state += bytes_of_rows(call.inputs[i], rows);
  return {0, 0, state + bytes_of(call.inputs[4]) + bytes_of_part(call.inputs[5].toTensor()), state, 0};
}

const StatesWork sort("memlayers::sort_records", op_groups::kRowUpdate, pass_work);
const StatesWork sums("memlayers::sum_touched_rows", op_groups::kRowUpdate, row_sums_work);
const StatesWork norm("memlayers::row_squared_norm", op_groups::kRowUpdate, row_norm_work);
const StatesWork update("memlayers::row_update", op_groups::kRowUpdate, row_update_work);
// How many rows are behind, no shape tells.
const StatesWork replay("memlayers::bring_rows_up_to_date", op_groups::kReplay, nullptr);

}  // namespace
}  // namespace memlayers::ops
