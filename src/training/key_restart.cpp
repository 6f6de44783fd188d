#include "training/key_restart.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "base/random.h"

namespace memlayers::training {
namespace {

constexpr double kDeadBelow = 1e-3, kNoise = 0.3;

// The smallest index whose running sum passes `point`.
int64_t drawn(const std::vector<double>& running, double point) {
  return std::upper_bound(running.begin(), running.end() - 1, point) - running.begin();
}

struct Rows {  // of one head and half, [n, K/2]
  float *keys, *exp_avg, *exp_avg_sq;
};

void copy_with_noise(const Rows& rows, int64_t width, int64_t from, int64_t to, base::RandomStream& random) {
  const float* source = rows.keys + from * width;
  double square = 0;
  for (int64_t i = 0; i < width; ++i) square += double(source[i]) * source[i];
  const double deviation = kNoise * std::sqrt(square / double(width));
  for (int64_t i = 0; i < width; ++i) {
    rows.keys[to * width + i] = float(source[i] + deviation * random.normal());
    rows.exp_avg[to * width + i] = rows.exp_avg_sq[to * width + i] = 0;
  }
}

}  // namespace

at::Tensor dead_sub_keys(const at::Tensor& exp_avg_sq) {
  const at::Tensor energy = exp_avg_sq.mean(-1);  // [H, 2, n]
  return energy < energy.mean(-1, true) * kDeadBelow;
}

int64_t restart_dead_sub_keys(at::Tensor& sub_keys, at::Tensor& exp_avg, at::Tensor& exp_avg_sq, uint64_t key) {
  const int64_t groups = sub_keys.size(0) * 2, n = sub_keys.size(2), width = sub_keys.size(3);
  const at::Tensor dead = dead_sub_keys(exp_avg_sq), energy = exp_avg_sq.sum(-1, false, at::kDouble);
  int64_t moved = 0;
  for (int64_t group = 0; group < groups; ++group) {
    const bool* is_dead = dead.const_data_ptr<bool>() + group * n;
    const double* weight = energy.const_data_ptr<double>() + group * n;
    std::vector<double> running(size_t(n), 0.0);
    for (int64_t i = 0; i < n; ++i) running[i] = (i > 0 ? running[i - 1] : 0) + (is_dead[i] ? 0 : weight[i]);
    const int64_t offset = group * n * width;
    const Rows rows = {sub_keys.mutable_data_ptr<float>() + offset, exp_avg.mutable_data_ptr<float>() + offset,
                       exp_avg_sq.mutable_data_ptr<float>() + offset};
    base::RandomStream random(key, "key restart", uint64_t(group));
    for (int64_t i = 0; i < n; ++i) {
      if (!is_dead[i]) continue;
      copy_with_noise(rows, width, drawn(running, random.uniform() * running.back()), i, random);
      ++moved;
    }
  }
  return moved;
}

}  // namespace memlayers::training
