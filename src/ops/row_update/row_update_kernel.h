// The CPU kernels of the table's optimizer step over plain pointers, compiled once per instruction set.
#pragma once

#include <cstdint>

namespace memlayers::ops {

/// What differs from step to step.
struct StepScalars {
  float decay;         // 1 - rate * weight_decay
  float step_size;     // rate / (1 - beta1^step); rowwise and sgd: the rate
  float inverse_bias;  // 1 / sqrt(1 - beta2^step)
};

/// What all kinds share. Row is the table's element (uint16_t: bfloat16 bits, rounded stochastically).
template <class Row>
struct UpdateProblem {
  int64_t value_dim = 0;
  Row* table = nullptr;              // [S, D]
  float* exp_avg = nullptr;          // [S, D]; AdamW
  float* exp_avg_sq = nullptr;       // [S, D]; rowwise: [S]
  const int64_t* rows = nullptr;     // [U], distinct; null: row u is u
  int64_t num_rows = 0;              // U
  const float* gradients = nullptr;  // [U, D]; null: no gradient at `step`
  float grad_scale = 1;
  float beta1 = 0, one_minus_beta1 = 0, beta2 = 0, one_minus_beta2 = 0, eps = 0;
  int64_t step = 0;
  uint64_t seed = 0, table_index = 0;  // of the stochastic rounding
};

/// How skipped steps are replayed.
struct Replay {
  const int32_t* done_steps = nullptr;  // [U]: the step each row has seen; null: all but the current one
  const StepScalars* steps = nullptr;   // of the steps from first_step to the current one
  int64_t first_step = 0;
  bool decays = false;     // whether any of these steps has weight decay
  float still_factor = 0;  // an element with |exp_avg| * still_factor < |w| is not moved by the next kReplayChunk steps
};

/// Steps between two looks at whether a row still moves.
inline constexpr int64_t kReplayChunk = 32;

template <class Row>
struct UpdateFunctions {
  using Problem = UpdateProblem<Row>;
  /// AdamW on the u-th rows, u in [first, last): the zero-gradient steps that a row has not seen before `step`, then
  /// `step` itself with the row's gradient (with gradient zero where there are no gradients).
  void (*adam)(const Problem&, const Replay&, int64_t first, int64_t last);
  void (*rowwise)(const Problem&, StepScalars, int64_t first, int64_t last);
  void (*sgd)(const Problem&, StepScalars, int64_t first, int64_t last);
};

struct RowUpdateKernel {
  UpdateFunctions<float> float32;
  UpdateFunctions<uint16_t> bfloat16;
};

namespace baseline {
extern const RowUpdateKernel kRowUpdateKernel;
}
namespace avx2 {
extern const RowUpdateKernel kRowUpdateKernel;
}
namespace avx512 {
extern const RowUpdateKernel kRowUpdateKernel;
}

}  // namespace memlayers::ops
