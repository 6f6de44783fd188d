// A feed-forward of E SwiGLU experts, each of which computes few of the tokens.
//
// A router gives every token a probability for every expert. In training with `expert_choice` (Zhou et al. 2022) each
// expert takes the tokens that want it most, as many for each, and so knows of later tokens too; evaluated, a token
// goes to its best expert and nothing else counts (paper section 4.1). With `token_choice` (Shazeer et al. 2017; Fedus
// et al. 2022) each token goes to its k best experts, in training up to the experts' capacity.
#pragma once

#include <optional>
#include <vector>

#include "layers/context.h"
#include "layers/expert_config.h"
#include "layers/linear.h"

namespace memlayers::layers {

/// Which expert computes which tokens: R rows, one expert's after another's.
struct ExpertAssignment {
  at::Tensor tokens;           // [R] int64, a row's token
  at::Tensor weights;          // [R] what the row's result is multiplied by: the router's probability
  std::vector<int64_t> loads;  // [E] rows of each expert, R in all
  int64_t capacity = 0;        // most rows an expert may have; 0: no limit
  int64_t refused = 0;         // choices of tokens that found their expert full
  at::Tensor balance_loss;     // scalar, weighted already; undefined where there is none
};

/// probabilities [N, E] float32 or float64, N > 0. Ties: the lower token, the lower expert. Where an expert is full,
/// first choices go before second ones, and among them earlier tokens before later ones. Outside of `training` a
/// token's rows do not depend on other tokens. Differentiable in `probabilities` through weights and balance loss
/// (weight * E * sum over experts of share of choices * mean probability: `weight` when all are even). Same bits for
/// any number of threads.
ExpertAssignment assign_experts(const at::Tensor& probabilities, const ExpertConfig& config, bool training);

class MixtureOfExperts {
 public:
  /// `config` is complete (no zero left for a rule to fill).
  MixtureOfExperts(const ExpertConfig& config, int64_t hidden);

  /// y[t] = sum over t's experts e of p[t, e] * down_e(silu(gate_e(x[t])) * up_e(x[t])): x [.., d] -> [.., d] in x's
  /// dtype. Router, weights and sum are float32 (float64 for float64) whatever x is. In training it adds its balance
  /// loss to the pass's and appends its use to it. Gradients by autograd.
  at::Tensor forward(const at::Tensor& x, const ForwardContext& context) const;

  /// Appends NAME.router.weight [E, d], NAME.experts.{gate,up}_proj.weight [E, I, d], NAME.experts.down_proj.weight
  /// [E, d, I].
  void collect(const std::string& name, ParameterList& list);
  /// As Linear::freeze(); the router stays wide.
  void freeze(at::ScalarType dtype);

 private:
  at::Tensor compute(const at::Tensor& rows, const std::vector<int64_t>& loads) const;
  at::Tensor compute_evenly(const at::Tensor& rows) const;
  at::Tensor compute_in_turn(const at::Tensor& rows, const std::vector<int64_t>& loads) const;

  ExpertConfig config_;
  int64_t hidden_;
  Linear router_;
  at::Tensor gate_, up_;  // [E, I, d]
  at::Tensor down_;       // [E, d, I]
};

}  // namespace memlayers::layers
