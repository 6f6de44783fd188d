// Fused AdamW for everything but the tables.
#pragma once

#include <vector>

#include "layers/parameter.h"
#include "model/tensor_files.h"
#include "training/train_config.h"

namespace memlayers::training {

class DenseOptimizer {
 public:
  /// `parameters` (float32) must outlive this.
  DenseOptimizer(const layers::ParameterList& parameters, const OptimizerConfig& config);

  /// Of all gradients there are, together.
  double squared_norm() const;
  /// Takes step `step` (counted from 1) at `rate` with gradients times `scale`, and clears them. As in torch, a
  /// parameter that no gradient reached is left alone.
  void apply(double scale, int64_t step, double rate);
  /// Appends the moments under the parameters' names.
  void list_state(model::NamedTensors& state) const;

 private:
  const layers::ParameterList& parameters_;
  OptimizerConfig config_;
  std::vector<at::Tensor> exp_avg_, exp_avg_sq_;  // beside parameters_, float32
};

}  // namespace memlayers::training
