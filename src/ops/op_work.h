// The least that a call of an op has to move and to multiply, told from the shapes it is called with. Each op states
// its own beside its schema; a profiler asks for it by the op's name.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <string>
#include <vector>

namespace memlayers::ops {

/// The least that one call must do. What is read twice counts once; what is kept for backward counts as written.
struct OpWork {
  double flops = 0, narrow_flops = 0;        // in float32 or wider, and in 16 bits
  double read_bytes = 0, written_bytes = 0;  // in order
  double gathered_bytes = 0;                 // rows of a table, at random
};

struct OpCall {
  c10::ArrayRef<at::IValue> inputs, outputs;  // in the schema's order
};

struct OpRule {
  const char* group;                   // what a reader calls it, see op_groups
  OpWork (*work)(const OpCall& call);  // null: no limit can be stated
};

namespace op_groups {
inline constexpr const char *kAttention = "attention", *kSelection = "selection", *kBag = "bag",
                            *kRowUpdate = "row update", *kReplay = "bringing rows up to date", *kNorms = "norms",
                            *kActivation = "activation", *kLoss = "loss";
}  // namespace op_groups

/// States the work of an op; one object of namespace scope an op, `const StatesWork rule("memlayers::swiglu", ...)`.
struct StatesWork {
  StatesWork(const char* name, const char* group, OpWork (*work)(const OpCall& call));
};

/// What the op `name` ("memlayers::swiglu") has stated; null where it has stated nothing.
const OpRule* stated_work(const std::string& name);
/// Names of all that have, in alphabetical order.
std::vector<std::string> ops_with_stated_work();

/// Bytes of a tensor; a broadcast one is no larger than what it was broadcast from, an undefined one is 0.
double bytes_of(const at::Tensor& tensor);
/// Of a tensor that may be the beginning of a larger one.
double bytes_of_part(const at::Tensor& tensor);
/// Of the tensors in an argument; 0 for what is neither a tensor nor a list of them.
double bytes_of(const at::IValue& value);
double bytes_of(c10::ArrayRef<at::IValue> values);

/// `work` with FLOPs of the width of `like`.
OpWork with_flops(OpWork work, const at::Tensor& like, double flops);
/// Of what reads all that it is given and writes all that it gives.
OpWork pass_work(const OpCall& call);

}  // namespace memlayers::ops
