// What belongs to one pass through a model, held by whoever makes it: a model is constant while it computes.
#pragma once

#include <vector>

#include "layers/initialize.h"

namespace memlayers::layers {

/// What a mixture of experts did with the tokens of one training pass.
struct ExpertUse {
  int64_t tokens = 0, capacity = 0, refused = 0;
  int64_t dropped = 0;  // tokens that no expert computed
  std::vector<int64_t> loads;
  /// Share of the experts' places that were taken; 1 where there is no limit.
  double capacity_used() const;
};

/// One for evaluation is Pass(). Training sets `training` and, once a step before its first micro-batch, `dropout` to
/// the run's seed and the step: masks are a function of them and of how many were drawn since, so that a resumed run
/// draws what an uninterrupted one does.
struct Pass {
  bool training = false;  // dropout, the batch's statistics, experts' capacities and balance loss
  DropoutStream dropout = {};
  at::Tensor balance_loss = {};            // sum of the experts'; undefined where there is none
  std::vector<ExpertUse> expert_use = {};  // in training, of each mixture of experts as the pass came through
};

}  // namespace memlayers::layers
