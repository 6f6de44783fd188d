#include "layers/initialize.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <array>
#include <cmath>
#include <numbers>

#include "base/file.h"
#include "base/random.h"

namespace memlayers::layers {
namespace {

using Words = std::array<uint32_t, 4>;
using Four = std::array<float, 4>;

// 24 bits, in [0, 1).
float unit(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// Box-Muller on two pairs of words.
Four normals(const Words& words) {
  Four result;
  for (int pair = 0; pair < 2; ++pair) {
    const float radius = std::sqrt(-2.0f * std::log(1.0f - unit(words[2 * pair])));
    const float angle = 2.0f * std::numbers::pi_v<float> * unit(words[2 * pair + 1]);
    result[2 * pair] = radius * std::cos(angle);
    result[2 * pair + 1] = radius * std::sin(angle);
  }
  return result;
}

// Redraws what lies outside of three deviations; the attempt's number is the counter's high half.
Four truncated_normals(uint64_t key, uint64_t counter) {
  Four result = normals(base::philox(key, counter));
  for (uint64_t attempt = 1;; ++attempt) {
    bool inside = true;
    for (const float value : result) inside = inside && std::abs(value) <= 3.0f;
    if (inside) return result;
    const Four again = normals(base::philox(key, counter, attempt));
    for (int i = 0; i < 4; ++i) {
      if (std::abs(result[i]) > 3.0f) result[i] = again[i];
    }
  }
}

Four draw(Initializer::Kind kind, uint64_t key, uint64_t counter) {
  if (kind == Initializer::Kind::kNormal) return normals(base::philox(key, counter));
  if (kind == Initializer::Kind::kTruncatedNormal) return truncated_normals(key, counter);
  const Words words = base::philox(key, counter);
  Four result;
  for (int i = 0; i < 4; ++i) result[i] = 2.0f * unit(words[i]) - 1.0f;
  return result;
}

}  // namespace

uint64_t random_key(uint64_t seed, const std::string& name) { return base::hash_bytes(name.data(), name.size(), seed); }

void fill_random(at::Tensor& tensor, Initializer initializer, uint64_t key) {
  assert(tensor.scalar_type() == at::kFloat && tensor.is_contiguous());
  at::NoGradGuard no_grad;
  const float scale = static_cast<float>(initializer.scale);
  if (initializer.kind == Initializer::Kind::kConstant) {
    tensor.fill_(initializer.scale);
    return;
  }
  float* data = tensor.data_ptr<float>();
  tensor.unsafeGetTensorImpl()->bump_version();  // torch does not see what goes through a pointer
  const int64_t size = tensor.numel();
  at::parallel_for(0, (size + 3) / 4, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const Four values = draw(initializer.kind, key, static_cast<uint64_t>(block));
      const int64_t count = std::min<int64_t>(4, size - 4 * block);
      for (int64_t i = 0; i < count; ++i) data[4 * block + i] = scale * values[i];
    }
  });
}

void initialize(const Parameter& parameter, uint64_t seed) {
  fill_random(*parameter.tensor, parameter.initializer, random_key(seed, parameter.name));
}

at::Tensor dropout(const at::Tensor& input, double share, uint64_t key) {
  at::Tensor mask = at::empty(input.sizes(), at::kFloat);
  fill_random(mask, Initializer::uniform(1), key);  // in [-1, 1)
  mask = at::ge(mask, 2 * share - 1).to(input.scalar_type()).mul_(1 / (1 - share));
  return input * mask;
}

uint64_t DropoutStream::next_key() {
  const std::array<uint64_t, 2> position = {step, draws++};
  return base::hash_bytes(position.data(), sizeof(position), seed);
}

}  // namespace memlayers::layers
