// A warp owns 128 columns of one row: weights and moments stay in registers while skipped steps are replayed, with the
// shortcuts and in the order of operations of row_update_kernel.cpp.
//
// Lane l has columns l % 16 + 64 * (l / 16) + 16 * i, i = 0..3: the four that take their random bits from one Philox
// block. A load then covers two pieces of 64 bytes, and a lane has sixteen numbers on their way (w, m, v, g).
#include "ops/row_update/row_update_cuda.h"

#include "ops/column_blocks.h"
#include "ops/cuda/device.h"
#include "ops/cuda/lane_sum.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kThreads = 128;
constexpr int kWarpsPerBlock = kThreads / kWarp;
constexpr int64_t kColumns = 128;  // of a group
constexpr int kPerLane = 4;
constexpr int64_t kMostBlocks = 2048;

/// Philox 4x32-10, as base::philox.
struct PhiloxBlock {
  uint32_t word[4];

  __device__ PhiloxBlock(uint64_t key, uint64_t counter_low, uint64_t counter_high)
      : word{uint32_t(counter_low), uint32_t(counter_low >> 32), uint32_t(counter_high), uint32_t(counter_high >> 32)} {
    uint32_t key_a = uint32_t(key), key_b = uint32_t(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const uint64_t a = uint64_t{0xD2511F53} * word[0], b = uint64_t{0xCD9E8D57} * word[2];
      word[0] = uint32_t(b >> 32) ^ word[1] ^ key_a;
      word[1] = uint32_t(b);
      word[2] = uint32_t(a >> 32) ^ word[3] ^ key_b;
      word[3] = uint32_t(a);
      key_a += 0x9E3779B9;
      key_b += 0xBB67AE85;
    }
  }
};

/// One lane's columns of one row and group.
template <class Row>
struct LaneColumns {
  const UpdateProblem<Row>& problem;
  int64_t row, group, first;  // first: the lane's first column

  __device__ LaneColumns(const UpdateProblem<Row>& of, int64_t row_index, int64_t group_index)
      : problem(of),
        row(row_index),
        group(group_index),
        first(group_index * kColumns + lane_index() % 16 + 64 * (lane_index() / 16)) {}

  __device__ __forceinline__ int64_t column(int i) const { return first + 16 * i; }
  __device__ __forceinline__ bool exists(int i) const { return column(i) < problem.value_dim; }

  template <class Source>
  __device__ __forceinline__ void load(const Source* source, float (&value)[kPerLane]) const {
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) value[i] = exists(i) ? widen(source[column(i)]) : 0.0f;
  }

  __device__ __forceinline__ void store(const float (&value)[kPerLane], float* target) const {
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
      if (exists(i)) target[column(i)] = value[i];
    }
  }
  __device__ __forceinline__ void store(const float (&value)[kPerLane], uint16_t* target) const {
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
      if (exists(i)) target[column(i)] = uint16_t(__float_as_uint(value[i]) >> 16);
    }
  }

  /// Makes w what the table can hold; bfloat16 goes up or down at random.
  __device__ __forceinline__ void round(float (&w)[kPerLane], int64_t step) const {
    if constexpr (sizeof(Row) == 2) {
      const uint64_t groups = uint64_t(divide_up(problem.value_dim, kColumns));
      const uint64_t block = (uint64_t(row) * groups + uint64_t(group)) * 16 + uint64_t(lane_index() % 16);
      const PhiloxBlock random(problem.seed, block, problem.table_index << 40 | uint64_t(step));
#pragma unroll
      for (int i = 0; i < kPerLane; ++i) {
        const uint32_t bits = __float_as_uint(w[i]), half = random.word[i] >> (lane_index() / 16 * 16) & 0xFFFF;
        w[i] = __uint_as_float((w[i] == w[i] ? bits + half : bits | 0x400000) & 0xFFFF0000);
      }
    }
  }
};

/// One lane's numbers of AdamW.
template <class Row>
struct AdamLane {
  const LaneColumns<Row>& lane;
  const UpdateProblem<Row>& p;
  float w[kPerLane], m[kPerLane], v[kPerLane];

  __device__ __forceinline__ void move(int i, float moment, float square, const StepScalars& step) {
    const float direction = moment / (sqrtf(square) * step.inverse_bias + p.eps);
    w[i] = w[i] * step.decay - step.step_size * direction;
    m[i] = moment;
    v[i] = square;
  }
  __device__ __forceinline__ void gradient_step(const StepScalars& step, const float (&g)[kPerLane]) {
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
      move(i, p.beta1 * m[i] + p.one_minus_beta1 * g[i], p.beta2 * v[i] + p.one_minus_beta2 * g[i] * g[i], step);
    }
  }
  __device__ __forceinline__ void zero_step(const StepScalars& step) {
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) move(i, p.beta1 * m[i] + 0.0f, p.beta2 * v[i], step);
  }
  __device__ __forceinline__ void decay_moments() {
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
      m[i] = p.beta1 * m[i] + 0.0f;
      v[i] = p.beta2 * v[i];
    }
  }
  __device__ __forceinline__ bool stands_still(float still_factor) const {
    bool still = true;
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
      const float moment = fabsf(m[i]);
      still = still && (moment * still_factor < fabsf(w[i]) || moment == 0);
    }
    return still;
  }
  __device__ __forceinline__ bool moments_fixed() const {
    bool fixed = true;
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) {
      fixed = fixed && __float_as_uint(p.beta1 * m[i] + 0.0f) == __float_as_uint(m[i]) &&
              __float_as_uint(p.beta2 * v[i]) == __float_as_uint(v[i]);
    }
    return fixed;
  }

  /// Zero-gradient steps from `next` to `last`, for the whole warp.
  __device__ void replay_steps(const Replay& replay, int64_t next, int64_t last) {
    while (next <= last) {
      const int64_t chunk_end = last - next < kReplayChunk ? last + 1 : next + kReplayChunk;
      if (!__all_sync(kFullMask, stands_still(replay.still_factor))) {
        for (; next < chunk_end; ++next) {
          zero_step(replay.steps[next - replay.first_step]);
          lane.round(w, next);
        }
        continue;
      }
      const bool fixed = __all_sync(kFullMask, moments_fixed());
      if (fixed && !replay.decays) return;
      for (; next < chunk_end; ++next) {
        if (!fixed) decay_moments();
        if (!replay.decays) continue;
        const float decay = replay.steps[next - replay.first_step].decay;
#pragma unroll
        for (int i = 0; i < kPerLane; ++i) w[i] = w[i] * decay;
        lane.round(w, next);
      }
    }
  }
};

template <class Row>
__global__ void __launch_bounds__(kThreads) adam(UpdateProblem<Row> problem, Replay replay, int64_t count) {
  const int64_t groups = divide_up(problem.value_dim, kColumns);
  const int64_t item = block_index() * kWarpsPerBlock + warp_index();
  if (item >= count * groups) return;
  const int64_t u = item / groups, row = problem.rows ? problem.rows[u] : u;
  const bool has_gradients = problem.gradients != nullptr;
  const int64_t done = replay.done_steps ? replay.done_steps[u] : problem.step - 1;
  if (!has_gradients && done >= problem.step) return;
  const LaneColumns<Row> lane(problem, row, item % groups);
  const int64_t offset = row * problem.value_dim;
  AdamLane<Row> state{lane, problem, {}, {}, {}};
  lane.load(problem.table + offset, state.w);
  lane.load(problem.exp_avg + offset, state.m);
  lane.load(problem.exp_avg_sq + offset, state.v);
  float g[kPerLane] = {};
  if (has_gradients) lane.load(problem.gradients + u * problem.value_dim, g);
  state.replay_steps(replay, done + 1, has_gradients ? problem.step - 1 : problem.step);
  if (has_gradients) {
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) g[i] = g[i] * problem.grad_scale;
    state.gradient_step(replay.steps[problem.step - replay.first_step], g);
    lane.round(state.w, problem.step);
  }
  lane.store(state.w, problem.table + offset);
  lane.store(state.m, problem.exp_avg + offset);
  lane.store(state.v, problem.exp_avg_sq + offset);
}

/// w = w * decay - rate * g / divisor.
template <class Row>
__device__ __forceinline__ void descend(const LaneColumns<Row>& lane, const StepScalars& step, int64_t u,
                                        float divisor) {
  const UpdateProblem<Row>& p = lane.problem;
  float w[kPerLane], g[kPerLane];
  lane.load(p.table + lane.row * p.value_dim, w);
  lane.load(p.gradients + u * p.value_dim, g);
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) w[i] = w[i] * step.decay - step.step_size * (g[i] * p.grad_scale / divisor);
  lane.round(w, p.step);
  lane.store(w, p.table + lane.row * p.value_dim);
}

template <class Row>
__global__ void __launch_bounds__(kThreads) sgd(UpdateProblem<Row> problem, StepScalars step, int64_t count) {
  const int64_t groups = divide_up(problem.value_dim, kColumns);
  const int64_t item = block_index() * kWarpsPerBlock + warp_index();
  if (item >= count * groups) return;
  const int64_t u = item / groups;
  descend(LaneColumns<Row>(problem, problem.rows ? problem.rows[u] : u, item % groups), step, u, 1.0f);
}

/// One warp a row: first the mean of its squares, in the order of column_blocks.h, `sixteens` times sixteen columns a
/// block. The lower sixteen threads are the lanes of a block's sum; of each group they add their own four columns and
/// then those of the thread sixteen places on, which are the next.
template <class Row>
__global__ void __launch_bounds__(kThreads)
    rowwise(UpdateProblem<Row> problem, StepScalars step, int64_t count, int sixteens) {
  const int64_t u = block_index() * kWarpsPerBlock + warp_index(), groups = divide_up(problem.value_dim, kColumns);
  if (u >= count) return;
  const int64_t row = problem.rows ? problem.rows[u] : u;
  LaneTree<float, kDeviceTreeLevels + 1> tree;
  float sum[1] = {0};
  uint32_t blocks = 0;
  int steps = 0;
  for (int64_t group = 0; group < groups; ++group) {
    float g[kPerLane];
    LaneColumns<Row>(problem, row, group).load(problem.gradients + u * problem.value_dim, g);
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) g[i] = g[i] * problem.grad_scale;
#pragma unroll
    for (int i = 0; i < 2 * kPerLane; ++i) {
      if (group * kColumns + i * kSumLanes >= problem.value_dim) break;
      const float value = i < kPerLane ? g[i] : __shfl_down_sync(kFullMask, g[i - kPerLane], kSumLanes);
      sum[0] += value * value;
      if (++steps != sixteens) continue;
      tree.add(blocks++, sum_lanes<1>(sum));
      steps = 0;
      sum[0] = 0;
    }
  }
  const float squares = tree.total();
  float v = 0;
  if (lane_index() == 0) {
    v = problem.beta2 * problem.exp_avg_sq[row] + problem.one_minus_beta2 * (squares / float(problem.value_dim));
    problem.exp_avg_sq[row] = v;
  }
  const float divisor = sqrtf(__shfl_sync(kFullMask, v, 0)) * step.inverse_bias + problem.eps;
  for (int64_t group = 0; group < groups; ++group) {
    descend(LaneColumns<Row>(problem, row, group), step, u, divisor);
  }
}

__global__ void begin_report(RowReport* report, int64_t count, int64_t step) { *report = {count, count, step}; }

__global__ void look_at_rows(RowQuestion q, RowReport* report) {
  const auto lower = [](int64_t* target, int64_t value) {
    // None of these numbers is negative, so their bits compare as they do.
    atomicMin(reinterpret_cast<unsigned long long*>(target), static_cast<unsigned long long>(value));
  };
  const int64_t stride = grid_blocks() * block_threads();
  for (int64_t u = block_index() * block_threads() + thread_index(); u < q.count; u += stride) {
    const int64_t row = q.rows ? q.rows[u] : u;
    const bool ascends = !q.ascending || u == 0 || row > q.rows[u - 1];
    if (row < 0 || row >= q.num_slots || !ascends) {
      lower(&report->bad_row, u);
    } else if (q.last_step) {
      const int64_t last = q.last_step[row];
      if (last < 0 || (q.must_be_behind && last >= q.step)) {
        lower(&report->bad_step, u);
      } else if (last < q.step) {
        lower(&report->last_step, last);
      }
    }
  }
}

__global__ void claim(const int64_t* rows, int64_t count, int32_t* last_step, int32_t step, int32_t* done) {
  const int64_t u = block_index() * block_threads() + thread_index();
  if (u < count) done[u] = atomicMax(last_step + (rows ? rows[u] : u), step);
}

}  // namespace

void check_rows(const RowQuestion& question, RowReport* report, Stream stream) {
  launch(begin_report, 1, 1, stream, report, question.count, question.step);
  const int64_t blocks = divide_up(question.count, kThreads);
  launch(look_at_rows, blocks < kMostBlocks ? blocks : kMostBlocks, kThreads, stream, question, report);
}

void claim_rows(const int64_t* rows, int64_t count, int32_t* last_step, int64_t step, int32_t* done, Stream stream) {
  launch(claim, divide_up(count, kThreads), kThreads, stream, rows, count, last_step, int32_t(step), done);
}

template <class Row>
void update_adam(const UpdateProblem<Row>& problem, const Replay& replay, int64_t count, Stream stream) {
  const int64_t warps = count * divide_up(problem.value_dim, kColumns);
  launch(adam<Row>, divide_up(warps, kWarpsPerBlock), kThreads, stream, problem, replay, count);
}

template <class Row>
void update_rowwise(const UpdateProblem<Row>& problem, const StepScalars& step, int64_t count, Stream stream) {
  if (problem.value_dim == 0) return;
  const int64_t width = problem.value_dim / column_blocks(problem.value_dim);
  launch(rowwise<Row>, divide_up(count, kWarpsPerBlock), kThreads, stream, problem, step, count,
         divide_up(width, kSumLanes));
}

template <class Row>
void update_sgd(const UpdateProblem<Row>& problem, const StepScalars& step, int64_t count, Stream stream) {
  const int64_t warps = count * divide_up(problem.value_dim, kColumns);
  launch(sgd<Row>, divide_up(warps, kWarpsPerBlock), kThreads, stream, problem, step, count);
}

#define MEMLAYERS_UPDATE(Row)                                                                   \
  template void update_adam(const UpdateProblem<Row>&, const Replay&, int64_t, Stream);         \
  template void update_rowwise(const UpdateProblem<Row>&, const StepScalars&, int64_t, Stream); \
  template void update_sgd(const UpdateProblem<Row>&, const StepScalars&, int64_t, Stream)
MEMLAYERS_UPDATE(float);
MEMLAYERS_UPDATE(uint16_t);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
