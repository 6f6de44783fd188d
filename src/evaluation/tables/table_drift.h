// How far a table's rows moved between two checkpoints.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/transformer.h"
#include "results/inspection.h"

namespace memlayers::evaluation {

/// `now`, `then` [S, D] of one shape, any floating dtype, on the CPU; norms are taken in float64, row by row. `top`
/// rows that moved farthest (relative to what they were; a row that was zero is farthest of all). MovedRow::reads stays
/// 0.
results::TableDrift table_drift(const std::string& name, const at::Tensor& now, const at::Tensor& then, int64_t top);

/// Of every table of `now`, PEER's first ones too. Throws UsageError naming both shapes where `then` has other tables.
std::vector<results::TableDrift> model_drift(const model::Transformer& now, const model::Transformer& then,
                                             const std::string& then_name, int64_t top);

}  // namespace memlayers::evaluation
