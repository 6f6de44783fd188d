// Selection at the widths of the paper's models and of the quickstart. Queries and sub-keys are normal: how scores are
// spread decides how many of them a kernel has to look at twice.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "bench/catalog.h"
#include "bench/rotation.h"
#include "bench/torch_compositions.h"
#include "ops/product_key_topk/product_key_topk.h"

namespace memlayers::bench {
namespace {

struct Shape {
  int64_t num_sub_keys, top_k, key_dim, tokens;
  int64_t heads = 4;
  at::ScalarType dtype = at::kFloat;  // of queries and sub-keys
};

/// Key widths of the 134m, 373m, 720m, 1.3b and 8b models (half their hidden size), and the quickstart's.
std::vector<Shape> shapes(bool quick) {
  constexpr Shape kQuickstart = {256, 16, 32, 1024, /*heads=*/2};
  if (quick) return {{1024, 32, 384, 64}, {1024, 32, 384, 64, 4, at::kBFloat16}, kQuickstart};
  std::vector<Shape> all;
  for (const int64_t num_sub_keys : {1024, 4096}) {
    for (const int64_t key_dim : {384, 512, 768, 1024, 2048}) {
      all.push_back({num_sub_keys, 32, key_dim, num_sub_keys == 1024 ? 512 : 256});
    }
    all.push_back({num_sub_keys, 32, 1024, num_sub_keys == 1024 ? 512 : 256, 4, at::kBFloat16});
  }
  all.push_back(kQuickstart);
  return all;
}

nlohmann::ordered_json json_of(const Shape& shape) {
  return {{"n", shape.num_sub_keys}, {"k", shape.top_k}, {"H", shape.heads}, {"K", shape.key_dim}, {"N", shape.tokens}};
}

at::Tensor sub_keys_of(const Shape& shape) {
  return at::randn({shape.heads, 2, shape.num_sub_keys, shape.key_dim / 2}, shape.dtype);
}

at::Tensor query_of(const Shape& shape) { return at::randn({shape.tokens, shape.heads, shape.key_dim}, shape.dtype); }

Workload forward(const Shape& shape) {
  const at::Tensor sub_keys = sub_keys_of(shape);
  Rotation<at::Tensor> queries({query_of(shape), query_of(shape), query_of(shape), query_of(shape)});
  Workload work;
  work.ours = [=]() mutable {
    const at::NoGradGuard no_grad;
    ops::product_key_topk(queries.next(), sub_keys, shape.top_k);
  };
  work.rivals.push_back({"torch", [=]() mutable {
                           const at::NoGradGuard no_grad;
                           torch_selection(queries.next(), sub_keys, shape.top_k);
                         }});
  return work;
}

/// The backward pass alone: one graph, run through again and again.
std::function<void()> backward_of(const at::Tensor& scores, const at::Tensor& query, const at::Tensor& sub_keys) {
  const at::Tensor gradient = at::randn_like(scores);
  return [=] { torch::autograd::grad({scores}, {query, sub_keys}, {gradient}, /*retain_graph=*/true); };
}

Workload backward(const Shape& shape) {
  const at::Tensor sub_keys = sub_keys_of(shape).requires_grad_(true), query = query_of(shape).requires_grad_(true);
  const ops::TopK best = ops::product_key_topk(query, sub_keys, shape.top_k);
  const auto [scores, slots] = torch_selection(query, sub_keys, shape.top_k);
  Workload work;
  work.ours = backward_of(best.scores, query, sub_keys);
  work.rivals.push_back({"torch", backward_of(scores, query, sub_keys)});
  return work;
}

std::vector<Case> cases(const char* name, bool quick, Workload (*make)(const Shape&)) {
  std::vector<Case> all;
  for (const Shape& shape : shapes(quick)) {
    const char* dtype = shape.dtype == at::kFloat ? "float32" : "bfloat16";
    all.push_back({name, json_of(shape), "normal", dtype, {"torch"}, [=] { return make(shape); }});
  }
  return all;
}

}  // namespace

std::vector<Case> selection_cases(const CaseOptions& options) { return cases("selection", options.quick, forward); }
std::vector<Case> selection_backward_cases(const CaseOptions& options) {
  return cases("selection_backward", options.quick, backward);
}

}  // namespace memlayers::bench
