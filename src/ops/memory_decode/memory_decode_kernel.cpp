#include "ops/memory_decode/memory_decode_kernel.h"

#include "ops/product_key_topk/panel_products.h"
#include "ops/simd/lanes_math.h"

namespace memlayers::ops {
namespace {

void project(const PanelProjection& projection, const float* x, int64_t rows, float* y, float* scratch) {
  const int64_t out = projection.out;
  multiply_panels(x, projection.in, rows, projection.in, projection.panels, panels_of(out), scratch,
                  [&](int64_t row, int64_t column, const Lanes<float>& products) {
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
    const float factor = 1 / exponential_sum<true, float>(row, k, row[0]);
    for (int64_t i = 0; i < k; ++i) row[i] *= factor;
  }
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const DecodeKernel kDecodeKernel = {project, softmax};
}

}  // namespace memlayers::ops
