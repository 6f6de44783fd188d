#include "ops/memory_decode/memory_decode_kernel.h"

#include "ops/product_key_topk/panel_products.h"
#include "ops/simd/lanes_math.h"

namespace memlayers::ops {
namespace {

void pack(const float* weight, int64_t out, int64_t in, float* panels) {
  for (int64_t first = 0; first < out; first += kKeysPerPanel, panels += kKeysPerPanel * in) {
    pack_panel(weight + first * in, std::min(kKeysPerPanel, out - first), in, panels);
  }
}

void project(const PanelProjection& projection, const float* x, int64_t rows, float* y, float* scratch) {
  const int64_t out = projection.out;
  multiply_panels(x, projection.in, rows, projection.in, projection.panels, (out + kKeysPerPanel - 1) / kKeysPerPanel,
                  scratch, [&](int64_t row, int64_t column, const Lanes<float>& products) {
                    float* target = y + row * out + column;
                    const float* bias = projection.bias + column;
                    if (column + kLanes <= out) {
                      store(target, products + load(bias));
                    } else if (column < out) {
                      store_tail(target, products + load_tail<float>(bias, out - column), out - column);
                    }
                  });
}

void softmax(float* scores, int64_t rows, int64_t k) {
  for (float* row = scores; row != scores + rows * k; row += k) {
    const Lanes<float> largest = broadcast(row[0]);
    Lanes<float> total = broadcast(0.0f);
    int64_t i = 0;
    for (; i + kLanes <= k; i += kLanes) {
      const Lanes<float> e = exponential(load(row + i) - largest);
      total = total + e;
      store(row + i, e);
    }
    if (i < k) {
      float rest[kLanes] = {};
      store_tail(rest, exponential(load_tail<float>(row + i, k - i) - largest), k - i);
      total = total + load(rest);
      std::copy(rest, rest + (k - i), row + i);
    }
    const float factor = 1 / sum(total);
    for (i = 0; i < k; ++i) row[i] *= factor;
  }
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const DecodeKernel kDecodeKernel = {pack, project, softmax};
}

}  // namespace memlayers::ops
