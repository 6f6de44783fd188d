// One row at a time, 128 columns at a time, in arrays that stay in the first-level cache while skipped steps are
// replayed.
//
// Replay makes exactly the operations of the dense sweep, so its bits are the dense sweep's, but it leaves out those
// that provably change nothing:
//   - Once |exp_avg| is so small that no step can move w by half of its last place (the change is at most
//     step_size * |exp_avg| / eps, and |exp_avg| only falls), a step is three multiplications: no root, no division.
//     With betas (0.9, 0.95) that is after some 250 steps.
//   - Once exp_avg and exp_avg_sq are fixed points of their decay (zero, or a few denormal units that round to
//     themselves), only weight decay remains, and without it nothing. A row that was never touched begins there.
#include "ops/row_update/row_update_kernel.h"

#include "ops/column_blocks.h"
#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kColumns = 128;
constexpr int64_t kAheadBytes = 8 * 1024, kMostRowsAhead = 8;

struct alignas(64) Columns {
  float w[kColumns], m[kColumns], v[kColumns];
};

MEMLAYERS_INLINE uint32_t bits_of(float value) { return __builtin_bit_cast(uint32_t, value); }

/// Sixteen Philox 4x32-10 blocks side by side (the same numbers as base::philox): 16 bits for each of 128 columns.
/// Column c of a group takes half (c / 64) of word (c / 16 % 4) of block (c % 16). A word sits in the lower half of a
/// 64-bit lane; what the products leave in the upper half is never looked at.
MEMLAYERS_INLINE void random_halves(uint64_t key, uint64_t counter_low, uint64_t counter_high, uint32_t* halves) {
  constexpr int kPerPart = kVectorBytes / 8, kParts = kLanes / kPerPart;
  const Words zero = {};
  for (int p = 0; p < kParts; ++p) {
    // The group's counters begin at a multiple of 16, so only the lowest word counts up.
    Words counters = zero;
    for (int i = 0; i < kPerPart; ++i) counters[i] = counter_low + uint64_t(p * kPerPart + i);
    Words word[4] = {counters, zero + (counter_low >> 32), zero + counter_high, zero + (counter_high >> 32)};
    uint32_t key_a = uint32_t(key), key_b = uint32_t(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const Words a = multiply_low_halves(word[0], zero + uint64_t{0xD2511F53});
      const Words b = multiply_low_halves(word[2], zero + uint64_t{0xCD9E8D57});
      word[0] = (b >> 32) ^ word[1] ^ (zero + uint64_t{key_a});
      word[1] = b;
      word[2] = (a >> 32) ^ word[3] ^ (zero + uint64_t{key_b});
      word[3] = a;
      key_a += 0x9E3779B9;
      key_b += 0xBB67AE85;
    }
    using Narrow = NativeVector<uint32_t, kVectorBytes / 2>::type;
    for (int w = 0; w < 4; ++w) {
      const Narrow bits = __builtin_convertvector(word[w], Narrow);
      const Narrow low = bits & 0xFFFF, high = bits >> 16;
      std::memcpy(halves + w * kLanes + p * kPerPart, &low, sizeof(low));
      std::memcpy(halves + 64 + w * kLanes + p * kPerPart, &high, sizeof(high));
    }
  }
}

/// One group of columns of one row.
template <class Row>
struct Group {
  const UpdateProblem<Row>& problem;
  int64_t row, first;  // first column
  int64_t count;       // columns that exist; the others are zero
  int64_t width;       // count rounded up to whole lanes

  Group(const UpdateProblem<Row>& of, int64_t row_index, int64_t first_column)
      : problem(of), row(row_index), first(first_column) {
    count = of.value_dim - first < kColumns ? of.value_dim - first : kColumns;
    width = (count + kLanes - 1) / kLanes * kLanes;
  }

  MEMLAYERS_INLINE int64_t offset() const { return row * problem.value_dim + first; }

  MEMLAYERS_INLINE void load_weights(float* w) const {
    const Row* source = problem.table + offset();
    for (int64_t c = 0; c < count; ++c) w[c] = widen(source[c]);
    for (int64_t c = count; c < width; ++c) w[c] = 0;
  }

  MEMLAYERS_INLINE void load_gradient(int64_t u, float* g) const {
    const float* source = problem.gradients + u * problem.value_dim + first;
    for (int64_t c = 0; c < count; ++c) g[c] = source[c] * problem.grad_scale;
    for (int64_t c = count; c < width; ++c) g[c] = 0;
  }

  /// Makes w what the table can hold. Adding 16 random bits below the kept ones and cutting off rounds up with the
  /// probability of the remainder.
  MEMLAYERS_INLINE void round(float* w, int64_t step) const {
    if constexpr (sizeof(Row) == 2) {
      const uint64_t groups = uint64_t(problem.value_dim + kColumns - 1) / kColumns;
      const uint64_t group = uint64_t(row) * groups + uint64_t(first) / kColumns;
      uint32_t random[kColumns];
      random_halves(problem.seed, group * kLanes, problem.table_index << 40 | uint64_t(step), random);
      for (int64_t c = 0; c < width; ++c) {
        const uint32_t bits = bits_of(w[c]);
        const uint32_t rounded = w[c] == w[c] ? bits + random[c] : bits | 0x400000;
        w[c] = __builtin_bit_cast(float, rounded & 0xFFFF0000);
      }
    }
  }

  MEMLAYERS_INLINE void store_weights(const float* w) const {
    Row* target = problem.table + offset();
    for (int64_t c = 0; c < count; ++c) {
      if constexpr (sizeof(Row) == 2) {
        target[c] = Row(bits_of(w[c]) >> 16);
      } else {
        target[c] = w[c];
      }
    }
  }
};

/// numerator / denominator for `width` columns, rounded as IEEE 754 wants.
///
/// With AVX-512 the divider is what a step waits for, and square roots need it as well: so quotients come from fused
/// multiply-adds. Two Newton steps make the rounded reciprocal, one step brings the quotient to within a unit in the
/// last place, and one more rounds it correctly (Markstein 1990, "Computation of elementary functions on the IBM RISC
/// System/6000 processor"). That holds where nothing underflows or overflows on the way, and where the denominator's
/// significand is not all ones, whose reciprocal the Newton steps miss; other numbers are divided.
MEMLAYERS_INLINE void divide(const float* numerator, const float* denominator, int64_t width, float* quotient) {
  for (int64_t c = 0; c < width; c += kLanes) {
#if defined(__AVX512F__)
    const __m512 a = _mm512_load_ps(numerator + c), b = _mm512_load_ps(denominator + c), size = _mm512_abs_ps(a);
    const __m512 least = _mm512_set1_ps(0x1p-60f), most = _mm512_set1_ps(0x1p60f);
    __mmask16 usual = _mm512_cmp_ps_mask(size, least, _CMP_GE_OQ);
    usual = _mm512_mask_cmp_ps_mask(usual, size, most, _CMP_LE_OQ);
    usual = _mm512_mask_cmp_ps_mask(usual, b, least, _CMP_GE_OQ);
    usual = _mm512_mask_cmp_ps_mask(usual, b, most, _CMP_LE_OQ);
    const __m512i all_ones = _mm512_set1_epi32(-1),
                  significand = _mm512_or_si512(_mm512_castps_si512(b), _mm512_set1_epi32(~0x7FFFFF));
    usual = _mm512_mask_cmpneq_epi32_mask(usual, significand, all_ones);
    if (usual != 0xFFFF) {
      _mm512_store_ps(quotient + c, _mm512_div_ps(a, b));
      continue;
    }
    const __m512 one = _mm512_set1_ps(1);
    __m512 inverse = _mm512_rcp14_ps(b);
    inverse = _mm512_fmadd_ps(inverse, _mm512_fnmadd_ps(b, inverse, one), inverse);
    inverse = _mm512_fmadd_ps(inverse, _mm512_fnmadd_ps(b, inverse, one), inverse);
    __m512 q = _mm512_mul_ps(a, inverse);
    q = _mm512_fmadd_ps(_mm512_fnmadd_ps(b, q, a), inverse, q);
    q = _mm512_fmadd_ps(_mm512_fnmadd_ps(b, q, a), inverse, q);
    _mm512_store_ps(quotient + c, q);
#else
    for (int64_t i = c; i < c + kLanes; ++i) quotient[i] = numerator[i] / denominator[i];
#endif
  }
}

/// What both kinds of step do once the moments are new.
template <class Row>
MEMLAYERS_INLINE void move_weights(const Group<Row>& group, const StepScalars& step, Columns& state) {
  alignas(64) float denominator[kColumns], direction[kColumns];
  for (int64_t c = 0; c < group.width; ++c) {
    denominator[c] = __builtin_sqrtf(state.v[c]) * step.inverse_bias + group.problem.eps;
  }
  divide(state.m, denominator, group.width, direction);
  for (int64_t c = 0; c < group.width; ++c) {
    state.w[c] = state.w[c] * step.decay - step.step_size * direction[c];
  }
}

/// AdamW with a gradient. The one definition; a zero gradient below leaves out only what adds zero.
template <class Row>
MEMLAYERS_INLINE void gradient_step(const Group<Row>& group, const StepScalars& step, const float* g, Columns& state) {
  const UpdateProblem<Row>& p = group.problem;
  for (int64_t c = 0; c < group.width; ++c) {
    state.m[c] = p.beta1 * state.m[c] + p.one_minus_beta1 * g[c];
    state.v[c] = p.beta2 * state.v[c] + p.one_minus_beta2 * g[c] * g[c];
  }
  move_weights(group, step, state);
}

template <class Row>
MEMLAYERS_INLINE void decay_moments(const Group<Row>& group, Columns& state) {
  const UpdateProblem<Row>& p = group.problem;
  for (int64_t c = 0; c < group.width; ++c) {
    state.m[c] = p.beta1 * state.m[c] + 0.0f;  // turns a negative zero positive, as adding the gradient does
    state.v[c] = p.beta2 * state.v[c];
  }
}

template <class Row>
MEMLAYERS_INLINE void zero_step(const Group<Row>& group, const StepScalars& step, Columns& state) {
  decay_moments(group, state);
  move_weights(group, step, state);
}

template <class Row>
MEMLAYERS_INLINE void decay_weights(const Group<Row>& group, const StepScalars& step, Columns& state) {
  for (int64_t c = 0; c < group.width; ++c) state.w[c] = state.w[c] * step.decay;
}

/// No element is moved by its moments within the next kReplayChunk steps.
template <class Row>
MEMLAYERS_INLINE bool stands_still(const Group<Row>& group, const Replay& replay, const Columns& state) {
  uint32_t moving = 0;
  for (int64_t c = 0; c < group.width; ++c) {
    const float m = __builtin_fabsf(state.m[c]), w = __builtin_fabsf(state.w[c]);
    const uint32_t still = uint32_t(m * replay.still_factor < w) | uint32_t(m == 0);
    moving |= still ^ 1;
  }
  return moving == 0;
}

/// Both moments are what their decay makes of them, bit for bit.
template <class Row>
MEMLAYERS_INLINE bool moments_fixed(const Group<Row>& group, const Columns& state) {
  const UpdateProblem<Row>& p = group.problem;
  uint32_t changes = 0;
  for (int64_t c = 0; c < group.width; ++c) {
    changes |= bits_of(p.beta1 * state.m[c] + 0.0f) ^ bits_of(state.m[c]);
    changes |= bits_of(p.beta2 * state.v[c]) ^ bits_of(state.v[c]);
  }
  return changes == 0;
}

/// Zero-gradient steps from `next` to `last`.
template <class Row>
MEMLAYERS_INLINE void replay_steps(const Group<Row>& group, const Replay& replay, int64_t next, int64_t last,
                                   Columns& state) {
  while (next <= last) {
    const int64_t chunk_end = last - next < kReplayChunk ? last + 1 : next + kReplayChunk;
    if (!stands_still(group, replay, state)) {
      for (; next < chunk_end; ++next) {
        zero_step(group, replay.steps[next - replay.first_step], state);
        group.round(state.w, next);
      }
      continue;
    }
    const bool fixed = moments_fixed(group, state);
    if (fixed && !replay.decays) return;
    for (; next < chunk_end; ++next) {
      if (!fixed) decay_moments(group, state);
      if (!replay.decays) continue;
      decay_weights(group, replay.steps[next - replay.first_step], state);
      group.round(state.w, next);
    }
  }
}

/// Rows between asking for one and using it.
template <class Row>
int64_t rows_ahead(const UpdateProblem<Row>& problem) {
  const int64_t row_bytes = problem.value_dim * int64_t(sizeof(Row) + 2 * sizeof(float));
  const int64_t rows = kAheadBytes / row_bytes;
  return rows < 1 ? 1 : rows > kMostRowsAhead ? kMostRowsAhead : rows;
}

/// Asks for the group's columns of another row and its moments.
template <class Row>
MEMLAYERS_INLINE void prefetch_columns(const Group<Row>& group, int64_t row) {
  const int64_t offset = row * group.problem.value_dim + group.first;
  const auto ask = [&](const auto* columns) {
    for (int64_t c = 0; c < group.count; c += 64 / int64_t(sizeof(*columns))) __builtin_prefetch(columns + c, 1);
  };
  ask(group.problem.table + offset);
  ask(group.problem.exp_avg + offset);
  ask(group.problem.exp_avg_sq + offset);
}

template <class Row>
void adam(const UpdateProblem<Row>& problem, const Replay& replay, int64_t first, int64_t last) {
  Columns state;
  alignas(64) float gradient[kColumns];
  const int64_t ahead = rows_ahead(problem);
  for (int64_t u = first; u < last; ++u) {
    const int64_t row = problem.rows ? problem.rows[u] : u;
    const int64_t later = problem.rows && u + ahead < problem.num_rows ? problem.rows[u + ahead] : row;
    const int64_t done = replay.done_steps ? replay.done_steps[u] : problem.step - 1;
    const int64_t last_zero_step = problem.gradients ? problem.step - 1 : problem.step;
    for (int64_t column = 0; column < problem.value_dim; column += kColumns) {
      const Group<Row> group(problem, row, column);
      prefetch_columns(group, later);
      float *m = problem.exp_avg + group.offset(), *v = problem.exp_avg_sq + group.offset();
      group.load_weights(state.w);
      for (int64_t c = 0; c < group.width; ++c) state.m[c] = c < group.count ? m[c] : 0;
      for (int64_t c = 0; c < group.width; ++c) state.v[c] = c < group.count ? v[c] : 0;
      replay_steps(group, replay, done + 1, last_zero_step, state);
      if (problem.gradients) {
        group.load_gradient(u, gradient);
        gradient_step(group, replay.steps[problem.step - replay.first_step], gradient, state);
        group.round(state.w, problem.step);
      }
      group.store_weights(state.w);
      for (int64_t c = 0; c < group.count; ++c) m[c] = state.m[c];
      for (int64_t c = 0; c < group.count; ++c) v[c] = state.v[c];
    }
  }
}

/// w = w * decay - rate * g / divisor for one row.
template <class Row>
MEMLAYERS_INLINE void descend(const UpdateProblem<Row>& problem, const StepScalars& step, int64_t u, float divisor) {
  alignas(64) float w[kColumns], g[kColumns];
  const int64_t row = problem.rows ? problem.rows[u] : u;
  for (int64_t column = 0; column < problem.value_dim; column += kColumns) {
    const Group<Row> group(problem, row, column);
    group.load_weights(w);
    group.load_gradient(u, g);
    for (int64_t c = 0; c < group.width; ++c) w[c] = w[c] * step.decay - step.step_size * (g[c] / divisor);
    group.round(w, problem.step);
    group.store_weights(w);
  }
}

/// The squares of a scaled gradient row, in the order of column_blocks.h.
MEMLAYERS_INLINE float sum_of_squares(const float* gradient, int64_t dim, float scale) {
  const int64_t blocks = column_blocks(dim), width = dim / blocks;
  const Lanes<float> factor = broadcast(scale);
  BlockTree<float> tree;
  for (int64_t b = 0; b < blocks; ++b, gradient += width) {
    Lanes<float> total = broadcast(0.0f);
    int64_t c = 0;
    for (; c + kLanes <= width; c += kLanes) {
      const Lanes<float> g = load(gradient + c) * factor;
      total = total + g * g;
    }
    if (c < width) {
      const Lanes<float> g = load_tail<float>(gradient + c, width - c) * factor;
      total = total + g * g;
    }
    tree.add(sum(total));
  }
  return tree.total();
}

template <class Row>
void rowwise(const UpdateProblem<Row>& problem, StepScalars step, int64_t first, int64_t last) {
  const int64_t dim = problem.value_dim;
  for (int64_t u = first; u < last; ++u) {
    const float* gradient = problem.gradients + u * dim;
    const float squares = sum_of_squares(gradient, dim, problem.grad_scale);
    float& v = problem.exp_avg_sq[problem.rows ? problem.rows[u] : u];
    v = problem.beta2 * v + problem.one_minus_beta2 * (squares / float(dim));
    descend(problem, step, u, __builtin_sqrtf(v) * step.inverse_bias + problem.eps);
  }
}

template <class Row>
void sgd(const UpdateProblem<Row>& problem, StepScalars step, int64_t first, int64_t last) {
  for (int64_t u = first; u < last; ++u) descend(problem, step, u, 1.0f);
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const RowUpdateKernel kRowUpdateKernel = {.float32 = {adam<float>, rowwise<float>, sgd<float>},
                                          .bfloat16 = {adam<uint16_t>, rowwise<uint16_t>, sgd<uint16_t>}};
}

}  // namespace memlayers::ops
