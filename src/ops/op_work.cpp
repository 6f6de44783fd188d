#include "ops/op_work.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

namespace memlayers::ops {
namespace {

/// Filled while libraries are loaded, whichever file comes first.
std::map<std::string, OpRule>& rules() {
  static std::map<std::string, OpRule> all;
  return all;
}

}  // namespace

StatesWork::StatesWork(const char* name, const char* group, OpWork (*work)(const OpCall& call)) {
  rules()[name] = {group, work};
}

const OpRule* stated_work(const std::string& name) {
  const auto found = rules().find(name);
  return found == rules().end() ? nullptr : &found->second;
}

std::vector<std::string> ops_with_stated_work() {
  std::vector<std::string> names;
  for (const auto& [name, rule] : rules()) names.push_back(name);
  return names;
}

double bytes_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return 0;
  const double numbers = bytes_of_part(tensor);
  return tensor.has_storage() ? std::min(numbers, double(tensor.storage().nbytes())) : numbers;
}

double bytes_of_part(const at::Tensor& tensor) { return double(tensor.numel()) * double(tensor.element_size()); }

double bytes_of(const at::IValue& value) {
  if (value.isTensor()) return bytes_of(value.toTensor());
  double sum = 0;
  if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorVector()) sum += bytes_of(tensor);
  }
  return sum;
}

double bytes_of(c10::ArrayRef<at::IValue> values) {
  double sum = 0;
  for (const at::IValue& value : values) sum += bytes_of(value);
  return sum;
}

OpWork with_flops(OpWork work, const at::Tensor& like, double flops) {
  (like.element_size() < 4 ? work.narrow_flops : work.flops) = flops;
  return work;
}

OpWork pass_work(const OpCall& call) { return {0, 0, bytes_of(call.inputs), bytes_of(call.outputs), 0}; }

}  // namespace memlayers::ops
