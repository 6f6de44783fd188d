// A run's numbers over time: one JSON object a line in metrics.jsonl, and the same numbers as TensorBoard scalars.
//
// metrics.jsonl, one line every `log_every` steps, at every validation and after the last step:
//   step, tokens, loss, mean_loss (since the last line), validation_loss (where it was measured), grad_norm,
//   table_grad_norm (before clipping), learning_rate, table_learning_rate, tokens_per_second (since the last line),
//   seconds, flops (training so far), resident_bytes, peak_resident_bytes, tables: {NAME: {reads, used_share,
//   kl_to_uniform, top_percent_share (since the last line), dead_slots (never read since the run began)}}
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "base/tensorboard.h"

namespace memlayers::training {

class MetricsWriter {
 public:
  /// Appends to RUN/metrics.jsonl; lines after `last_step` (of a run now continued from there) are cut first, and so is
  /// a torn last line. TensorBoard files go to RUN/tensorboard; a new one takes the later steps from those that are
  /// there. Throws IoError.
  MetricsWriter(const std::filesystem::path& run, int64_t last_step, bool tensorboard);

  /// `line` holds "step"; numbers inside objects get tags like "tables/NAME/used_share". Throws IoError.
  void write(const nlohmann::ordered_json& line);

 private:
  std::filesystem::path path_;
  std::ofstream file_;
  std::unique_ptr<base::EventWriter> events_;
};

}  // namespace memlayers::training
