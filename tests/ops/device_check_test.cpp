// Tensors of two devices in one call. "meta" stands for the other device: the dispatcher would not let it through, so
// the checks are called by themselves.
#include "ops/device_check.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "ops/memory_bag/memory_bag_checks.h"
#include "ops/product_key_topk/product_key_topk_checks.h"
#include "ops/row_update/row_gradient_checks.h"
#include "ops/row_update/row_update_checks.h"

namespace memlayers::ops {
namespace {

const at::Tensor kTable = at::zeros({4, 3}), kSlots = at::zeros({2, 5}, at::kLong);

at::Tensor elsewhere(const at::Tensor& tensor) { return at::empty(tensor.sizes(), tensor.options().device(at::kMeta)); }

void expect_told(const char* what, const std::function<void()>& check) {
  try {
    check();
    FAIL() << what << " of another device was let through";
  } catch (const base::UsageError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(std::string(what) + " must be on cpu"), std::string::npos) << message;
    EXPECT_NE(message.find("got meta"), std::string::npos) << message;
  }
}

TEST(DeviceCheck, BagsWantOneDevice) {
  expect_told("weights", [] { check_weights(at::kFloat, kSlots, elsewhere(at::zeros({2, 5}))); });
  expect_told("grad_output", [] { check_grad_output(3, kSlots, elsewhere(at::zeros({2, 3}))); });
}

TEST(DeviceCheck, RecordsWantOneDevice) {
  const at::Tensor weights = at::zeros({2, 5}), grad = at::zeros({2, 3});
  expect_told("a record's weights", [&] { check_record(kSlots, elsewhere(weights), grad, 3, at::kFloat); });
  expect_told("a record's grad_output", [&] { check_record(kSlots, weights, elsewhere(grad), 3, at::kFloat); });
  expect_told("a record", [&] {
    check_records({kSlots, elsewhere(kSlots)}, {weights, elsewhere(weights)}, {grad, elsewhere(grad)}, 3);
  });
  const at::Tensor begins = at::zeros({3}, at::kLong);
  const auto check = [&](const at::Tensor& entries, const at::Tensor& weight, const at::Tensor& grad_output,
                         const at::Tensor& values) {
    check_sum_target(begins, entries, {weights, weight}, {grad, grad_output}, values);
  };
  expect_told("values", [&] { check(begins, weights, grad, elsewhere(grad)); });
  expect_told("entries", [&] { check(elsewhere(begins), weights, grad, grad); });
  expect_told("a record's weights", [&] { check(begins, elsewhere(weights), grad, grad); });
  expect_told("a record's grad_output", [&] { check(begins, weights, elsewhere(grad), grad); });
}

TEST(DeviceCheck, UpdatesWantOneDevice) {
  const RowState state = make_row_state(kTable, RowOptimizer::kExact);
  RowState first = state, second = state;
  first.exp_avg = second.exp_avg_sq = elsewhere(kTable);
  expect_told("state.exp_avg", [&] { check_adam_state(kTable, first); });
  expect_told("state.exp_avg_sq", [&] { check_adam_state(kTable, second); });
  const at::Tensor rows = at::zeros({2}, at::kLong);
  expect_told("gradient.rows", [&] { check_rows_tensor(kTable, elsewhere(rows)); });
  expect_told("gradient.values", [&] { check_values(kTable, rows, elsewhere(at::zeros({2, 3}))); });
  expect_told("gradient", [&] { check_dense_gradient(kTable, elsewhere(kTable)); });
}

TEST(DeviceCheck, SelectionWantsOneDevice) {
  const at::Tensor query = at::zeros({2, 1, 4}), keys = at::zeros({1, 2, 3, 2}), scores = at::zeros({2, 1, 5}),
                   slots = at::zeros({2, 1, 5}, at::kLong);
  expect_told("grad_scores", [&] { check_backward_inputs(elsewhere(scores), slots, query, keys, at::kCPU); });
  expect_told("slots", [&] { check_backward_inputs(scores, elsewhere(slots), query, keys, at::kCPU); });
  const at::Tensor panels = at::zeros({2, 2, kKeysPerPanel});
  try {
    check_packed(elsewhere(query), panels, 1, 3, 2);
    FAIL() << "a query of another device was let through";
  } catch (const base::UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("query must be on cpu"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace memlayers::ops
