// Times the ops on a GPU against torch's own operations and against the device's copy, and prints rows of a Markdown
// table (tools/gpu_check puts them into docs/results). Medians; every time includes the op's checks and launches.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAFunctions.h>
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "ops/memory_bag/memory_bag.h"
#include "ops/product_key_topk/product_key_topk.h"
#include "ops/row_update/row_update.h"

namespace memlayers::ops {
namespace {

const auto kDevice = at::Device(at::kCUDA, 0);

double median_seconds(const std::function<void()>& call) {
  call();
  std::vector<double> times;
  for (int i = 0; i < 15; ++i) {
    c10::cuda::device_synchronize();
    const auto begin = std::chrono::steady_clock::now();
    call();
    c10::cuda::device_synchronize();
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::nth_element(times.begin(), times.begin() + 7, times.end());
  return times[7];
}

/// A row of the table; what does not apply is left out with a negative number.
void print(const std::string& what, const std::string& shape, double seconds, double bytes, const std::string& against,
           double ratio) {
  std::printf("| %s | %s | %.3f | ", what.c_str(), shape.c_str(), seconds * 1e3);
  if (bytes > 0) std::printf("%.0f", bytes / seconds * 1e-9);
  std::printf(" | %s | ", against.c_str());
  if (ratio > 0) std::printf("%.2f", ratio);
  std::printf(" |\n");
  std::fflush(stdout);
}

at::TensorOptions floats() { return at::TensorOptions().device(kDevice).dtype(at::kFloat); }
at::Tensor random_slots(int64_t num_slots, at::IntArrayRef sizes) {
  return at::randint(num_slots, sizes, floats().dtype(at::kLong));
}

/// Bytes a second of a copy, read and write counted.
double copy_rate() {
  const at::Tensor source = at::zeros({int64_t{1} << 28}, floats()), target = at::empty_like(source);
  const double seconds = median_seconds([&] { target.copy_(source); });
  const double bytes = 2.0 * double(source.nbytes());
  print("device copy", "1 GiB", seconds, bytes, "", -1);
  return bytes / seconds;
}

void bag_forward(double copy, at::ScalarType dtype, int64_t dim) {
  const int64_t tokens = 4096, bag = 128, num_slots = (int64_t{1} << 31) / dim;  // 4 or 8 GB
  const at::Tensor table = at::empty({num_slots, dim}, floats().dtype(dtype)).normal_();
  const at::Tensor slots = random_slots(num_slots, {tokens, bag}), weights = at::rand({tokens, bag}, floats());
  const double bytes = double(tokens * bag * dim) * double(table.element_size());
  const std::string shape = "N 4096, M 128, D " + std::to_string(dim) + ", " + c10::toString(dtype);
  const double ours = median_seconds([&] { memory_bag(table, slots, weights, nullptr); });
  print("bag forward", shape, ours, bytes, "device copy", bytes / ours / copy);
  const at::Tensor offsets = at::arange(tokens, floats().dtype(at::kLong)) * bag, flat = slots.flatten();
  const at::Tensor sample = weights.flatten().to(dtype);
  const double torchs = median_seconds([&] { at::embedding_bag(table, flat, offsets, false, 0, false, sample); });
  print("bag forward", shape, ours, bytes, "torch embedding_bag", torchs / ours);
  const at::Tensor grad = at::randn({tokens, dim}, floats());
  const double gradient = median_seconds([&] { memory_bag_weight_gradient(table, slots, grad); });
  print("bag weight gradient", shape, gradient, bytes, "device copy", bytes / gradient / copy);
}

TopK torch_selection(const at::Tensor& query, const at::Tensor& keys, int64_t k) {
  const int64_t tokens = query.size(0), heads = keys.size(0), n = keys.size(2);
  const at::Tensor halves = at::einsum("thzd,hznd->thzn", {query.view({tokens, heads, 2, keys.size(3)}), keys});
  const auto [scores, indices] = halves.topk(k);
  const at::Tensor sums = scores.select(2, 0).unsqueeze(-1) + scores.select(2, 1).unsqueeze(-2);
  const at::Tensor slots = indices.select(2, 0).unsqueeze(-1) * n + indices.select(2, 1).unsqueeze(-2);
  const auto [best, order] = sums.flatten(-2).topk(k);
  return {best, slots.flatten(-2).gather(-1, order)};
}

void selection(int64_t n) {
  const int64_t tokens = 8192, heads = 4, key_dim = 512, k = 32;
  const at::Tensor query = at::randn({tokens, heads, key_dim}, floats());
  const at::Tensor keys = at::randn({heads, 2, n, key_dim / 2}, floats());
  const std::string shape = "N 8192, H 4, K 512, n " + std::to_string(n) + ", k 32, Float";
  const double torchs = median_seconds([&] { torch_selection(query, keys, k); });
  const double fused = median_seconds([&] { product_key_topk(query, keys, k); });
  print("selection, fused", shape, fused, -1, "torch composition", torchs / fused);
  using Signature = std::tuple<at::Tensor, at::Tensor>(const at::Tensor&, int64_t);
  const auto op = c10::Dispatcher::singleton()
                      .findSchemaOrThrow("memlayers::product_key_topk_of_half_scores", "")
                      .typed<Signature>();
  const double given = median_seconds([&] {
    const at::Tensor halves = query.view({tokens, heads, 2, key_dim / 2});
    op.call(at::einsum("thzd,hznd->thzn", {halves, keys}).contiguous(), k);
  });
  print("selection, half scores by cuBLAS", shape, given, -1, "torch composition", torchs / given);
}

void update(double copy, RowOptimizer kind, at::ScalarType dtype) {
  const int64_t num_slots = 1 << 20, dim = 1024, tokens = 4096, bag = 128;
  at::Tensor table = at::empty({num_slots, dim}, floats().dtype(dtype)).normal_();
  RowState state = make_row_state(table, kind);
  const BagRecords records = {
      {random_slots(num_slots, {tokens, bag}), at::rand({tokens, bag}, floats()), at::randn({tokens, dim}, floats())}};
  const std::vector<double> rates(1000, 1e-3);
  const RowUpdateOptions options{.kind = kind};
  std::string name = "exact";
  for (const auto& [value, text] : enum_names(kind)) {
    if (value == kind) name = text;
  }
  const std::string shape = "S 2^20, N 4096, M 128, D 1024, " + std::string(c10::toString(dtype));
  int64_t step = 0;
  RowGradient gradient;
  const double gather = median_seconds([&] { gradient = gather_row_gradient(records, dim); });
  const double row = double(gradient.rows.size(0) * dim);
  print("gather row gradient", shape, gather, 4 * (double(tokens * bag * dim) + row), "device copy",
        4 * (double(tokens * bag * dim) + row) / gather / copy);
  const bool adam = kind == RowOptimizer::kExact || kind == RowOptimizer::kLazy;
  const double bytes = row * (4 + 2 * double(table.element_size()) + (adam ? 16 : 0));
  const double ours = median_seconds([&] { row_update(table, state, gradient, ++step, rates, options); });
  print("row update, " + name, shape, ours, bytes, "device copy", bytes / ours / copy);
  at::Tensor buffer;
  const double whole = median_seconds(
      [&] { row_update(table, state, sum_rows(sort_records(records, dim), buffer), ++step, rates, options); });
  print("row update from records, " + name, shape, whole, -1, "gather, then update", (gather + ours) / whole);
}

int run() {
  if (c10::cuda::device_count() == 0) {
    std::fprintf(stderr, "gpu_ops_bench: no GPU was found\n");
    return 1;
  }
  if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) {
    std::fprintf(stderr, "gpu_ops_bench: torch's CUDA library does not load: %s\n", dlerror());
    return 1;
  }
  const c10::InferenceMode no_gradients;
  std::printf("| what | shape | ms | GB/s | against | ratio |\n|---|---|---:|---:|---|---:|\n");
  const double copy = copy_rate();
  for (int64_t dim : {1024, 2048, 4096}) {
    bag_forward(copy, at::kBFloat16, dim);
    bag_forward(copy, at::kFloat, dim);
  }
  for (int64_t n : {1024, 4096}) selection(n);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (RowOptimizer kind : {RowOptimizer::kExact, RowOptimizer::kLazy, RowOptimizer::kSgd}) update(copy, kind, dtype);
  }
  return 0;
}

}  // namespace
}  // namespace memlayers::ops

int main() {
  try {
    return memlayers::ops::run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_ops_bench: %s\n", error.what());
    return 1;
  }
}
