// Every op of this floor answers under its name, on the backends it declares, and with the kernel that was asked for.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/cpu.h"
#include "ops/kernel_choice.h"
#include "ops/op_work.h"
#include "ops/product_key_topk/product_key_topk.h"

namespace memlayers::ops {
namespace {

std::optional<c10::OperatorHandle> find(const std::string& name) {
  return c10::Dispatcher::singleton().findSchema({"memlayers::" + name, ""});
}

TEST(OpsRegistration, EveryOpHasASchemaAndACpuKernel) {
  // The linker keeps the library only if something of it is called.
  product_key_topk(at::zeros({1, 1, 2}), at::zeros({1, 2, 1, 1}), 1);
  for (const char* name : {"product_key_topk",
                           "product_key_topk_backward",
                           "memory_bag",
                           "memory_bag_weight_gradient",
                           "check_recorded_bags",
                           "decode_memory",
                           "pack_projection",
                           "quantize_rows",
                           "dequantize_rows",
                           "quantized_bag",
                           "quantized_bag_weight_gradient",
                           "gather_row_gradient",
                           "row_squared_norm",
                           "sort_records",
                           "sum_touched_rows",
                           "row_update",
                           "bring_rows_up_to_date",
                           "dense_row_update",
                           "rms_norm",
                           "rms_norm_backward",
                           "softmax_cross_entropy",
                           "softmax_cross_entropy_gradient_",
                           "swiglu",
                           "swiglu_backward",
                           "rotary",
                           "pack_sub_keys",
                           "product_key_topk_packed"}) {
    const auto op = find(name);
    ASSERT_TRUE(op.has_value()) << name;
    EXPECT_TRUE(op->hasKernelForDispatchKey(c10::DispatchKey::CPU)) << name;
  }
}

TEST(OpsRegistration, DifferentiableOpsHaveTheirGradient) {
  for (const char* name : {"product_key_topk", "memory_bag", "quantized_bag", "rms_norm", "swiglu", "rotary"}) {
    EXPECT_TRUE(find(name)->hasKernelForDispatchKey(c10::DispatchKey::Autograd)) << name;
  }
}

// What has no entry goes through torch's fallback, which boxes every argument at every call.
TEST(OpsRegistration, EveryOpTellsAutogradWhetherItHasAGradient) {
  int ops = 0;
  for (const c10::OperatorName& name : c10::Dispatcher::singleton().getAllOpNames()) {
    if (!name.name.starts_with("memlayers::")) continue;
    ++ops;
    EXPECT_TRUE(c10::Dispatcher::singleton().findOp(name)->hasKernelForDispatchKey(c10::DispatchKey::Autograd))
        << name.name;
  }
  EXPECT_GE(ops, 28);
}

// A name that is misspelled where an op states its work would be nobody's.
TEST(OpsRegistration, WhatStatesItsWorkIsAnOp) {
  const std::vector<std::string> stated = ops_with_stated_work();
  EXPECT_GE(stated.size(), 17u);
  for (const std::string& name : stated) {
    EXPECT_TRUE(c10::Dispatcher::singleton().findSchema({name, ""}).has_value()) << name;
  }
}

TEST(OpsRegistration, AnOpIsReachedByName) {
  c10::Stack stack{at::ones({2, 1, 2}), at::ones({1, 2, 3, 1}), 2};
  find("product_key_topk")->callBoxed(stack);
  ASSERT_EQ(stack.size(), 2u);
  EXPECT_EQ(stack[1].toTensor().sizes(), (std::vector<int64_t>{2, 1, 2}));
}

TEST(OpsRegistration, TheForcedInstructionSetIsTheOneThatRuns) {
  const std::string baseline = "baseline", avx2 = "avx2", avx512 = "avx512";
  const std::string chosen = choose_kernel("ops_registration_test", baseline, avx2, avx512);
  const std::string isa = base::isa_name(base::isa());
  EXPECT_EQ(chosen, isa == "amx" ? "avx512" : isa);  // what has more for AMX asks for itself
  const char* forced = std::getenv("MEMLAYERS_ISA");
  if (forced) {
    EXPECT_EQ(isa, forced);
  }
}

}  // namespace
}  // namespace memlayers::ops
