// Sends the op suites to the GPU: linked into a copy of ops_test, it takes the CPU's place, moves an op's tensors to
// the device, calls the CUDA kernel and moves the results back. Without a GPU everything is skipped, and says why.
#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/cuda/CUDAFunctions.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <string>
#include <vector>

namespace memlayers::ops {
namespace {

c10::IValue moved(const c10::IValue& value, at::Device device) {
  if (value.isTensor()) return value.toTensor().defined() ? c10::IValue(value.toTensor().to(device)) : value;
  if (!value.isTensorList()) return value;
  c10::List<at::Tensor> list;
  for (const at::Tensor& tensor : value.toTensorVector()) list.push_back(tensor.to(device));
  return list;
}

void call_on_device(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const at::AutoDispatchBelowADInplaceOrView below;
  const auto& arguments = op.schema().arguments();
  const std::vector<c10::IValue> given(stack->end() - int64_t(arguments.size()), stack->end());
  stack->resize(stack->size() - arguments.size());
  std::vector<c10::IValue> sent;
  for (const c10::IValue& value : given) sent.push_back(moved(value, at::Device(at::kCUDA, 0)));
  stack->insert(stack->end(), sent.begin(), sent.end());
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CUDA), stack);
  for (size_t i = 0; i < arguments.size(); ++i) {  // what the op writes to
    const auto* alias = arguments[i].alias_info();
    if (alias && alias->isWrite() && given[i].isTensor()) given[i].toTensor().copy_(sent[i].toTensor());
  }
  const size_t returns = op.schema().returns().size();
  for (size_t i = stack->size() - returns; i < stack->size(); ++i) (*stack)[i] = moved((*stack)[i], at::kCPU);
}

class Device : public ::testing::Environment {
 public:
  void SetUp() override {
    if (c10::cuda::device_count() == 0) GTEST_SKIP() << "no GPU: the CUDA suites are skipped";
    // Brings CUDA to torch's own operations. Linked in, it would demand all of CUDA's libraries where there is no GPU.
    if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL))
      GTEST_SKIP() << "no CUDA in torch, so skipped: " << dlerror();
  }
};

const auto* const kDevice = ::testing::AddGlobalTestEnvironment(new Device);

}  // namespace

TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  for (const char* name : {"product_key_topk",
                           "product_key_topk_of_half_scores",
                           "pack_sub_keys",
                           "product_key_topk_packed",
                           "product_key_topk_backward",
                           "memory_bag",
                           "memory_bag_weight_gradient",
                           "quantized_bag",
                           "quantized_bag_weight_gradient",
                           "gather_row_gradient",
                           "row_squared_norm",
                           "row_update",
                           "sort_records",
                           "sum_touched_rows",
                           "bring_rows_up_to_date",
                           "dense_row_update",
                           "check_recorded_bags",
                           "rms_norm",
                           "rms_norm_backward",
                           "rotary",
                           "softmax_cross_entropy",
                           "softmax_cross_entropy_gradient_",
                           "swiglu",
                           "swiglu_backward"}) {
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&call_on_device>());
  }
}

}  // namespace memlayers::ops
