// May a run go on from a checkpoint with this configuration?
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "training/train_config.h"

namespace memlayers::training {

/// `saved` is the resolved configuration (JSON) that the checkpoint was trained with, `now` this run's, `where` the
/// checkpoint.
///
/// Refused (UsageError naming every key with both values): a change of the model, of the data's order or shape
/// (sources' number and weights, seq_len, batch_size, packing, seed), of the seed and of the table optimizer (its state
/// has another form), and fewer steps than are done. The folder of a source may change: the caller compares the data's
/// fingerprint.
///
/// Allowed, and returned as "key: old -> new": everything else. What changes numbers (steps with a falling schedule,
/// rates, decays, clips, dtype, micro_batches, threads) takes effect from the checkpoint on; the rest is output only.
///
/// A key that `saved` lacks, since it is younger, counts as its default.
std::vector<std::string> changes_on_resume(const nlohmann::json& saved, const TrainConfig& now, int64_t steps_done,
                                           const std::string& where);

}  // namespace memlayers::training
