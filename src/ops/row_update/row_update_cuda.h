// The CUDA kernels of the table's optimizer step over plain pointers on a device. Their bits are those of the CPU
// kernels.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"
#include "ops/row_update/row_update_kernel.h"

namespace memlayers::ops {

/// What check_rows found.
struct RowReport {
  int64_t bad_row;    // the first place whose row is not in the table (or does not ascend), or the count
  int64_t bad_step;   // the first place whose row has seen a step it must not have, or the count
  int64_t last_step;  // the lowest step that a row has seen, or `step`
};

/// What is asked of rows before a step.
struct RowQuestion {
  const int64_t* rows = nullptr;  // [count]; null: row u is u
  int64_t count = 0;
  int64_t num_slots = 0;
  bool ascending = false;              // and distinct
  const int32_t* last_step = nullptr;  // [S], or null
  int64_t step = 0;
  bool must_be_behind = false;  // no row may have seen `step`
};

namespace MEMLAYERS_DEVICE {

void check_rows(const RowQuestion& question, RowReport* report, Stream stream);
/// done[u] = the step that row u has seen; last_step becomes `step` where it was lower. Of a repeated row one place
/// gets the true step and the others `step`, so that it is brought up to date once.
void claim_rows(const int64_t* rows, int64_t count, int32_t* last_step, int64_t step, int32_t* done, Stream stream);

/// AdamW on `count` rows. Replay's pointers are the device's. Without gradients, rows that have seen problem.step are
/// left alone.
template <class Row>
void update_adam(const UpdateProblem<Row>& problem, const Replay& replay, int64_t count, Stream stream);
template <class Row>
void update_rowwise(const UpdateProblem<Row>& problem, const StepScalars& step, int64_t count, Stream stream);
template <class Row>
void update_sgd(const UpdateProblem<Row>& problem, const StepScalars& step, int64_t count, Stream stream);

}  // namespace MEMLAYERS_DEVICE
}  // namespace memlayers::ops
