#include "layers/extra_reads.h"

#include <ATen/ATen.h>

#include "layers/initialize.h"

namespace memlayers::layers {
namespace {

// Sub-keys of both halves, [N, H, 2, count] in [0, n). Halves are drawn apart: float32 counts to 2^24, tables are
// larger.
at::Tensor random_sub_keys(at::IntArrayRef sizes, int64_t n, uint64_t key) {
  at::Tensor uniform = at::empty(sizes, at::kFloat);
  fill_random(uniform, Initializer::uniform(1), key);  // in [-1, 1)
  return uniform.add_(1).mul_(0.5 * static_cast<double>(n)).to(at::kLong).clamp_(0, n - 1);
}

}  // namespace

ops::TopK add_random_slots(const ops::TopK& best, const at::Tensor& query, const at::Tensor& sub_keys, int64_t count,
                           uint64_t key) {
  const int64_t tokens = query.size(0), heads = query.size(1), n = sub_keys.size(2), half = sub_keys.size(3);
  const at::Tensor drawn = random_sub_keys({tokens, heads, 2, count}, n, key);
  const at::Tensor first = at::arange(2 * heads, at::kLong).mul_(n).view({1, heads, 2, 1});  // of a head's half
  const at::Tensor rows = at::embedding(sub_keys.reshape({-1, half}), drawn + first);        // [N, H, 2, count, K/2]
  const at::Tensor scores = (rows * query.view({tokens, heads, 2, 1, half})).sum(-1).sum(2);
  const at::Tensor slots = drawn.select(2, 0) * n + drawn.select(2, 1);
  return {at::cat({best.scores, scores}, -1), at::cat({best.slots, slots}, -1)};
}

at::Tensor sink_scores(const at::Tensor& query, const at::Tensor& sink_key) {
  return (query * sink_key.reshape({1, query.size(1), query.size(2)})).sum(-1, true);
}

}  // namespace memlayers::layers
