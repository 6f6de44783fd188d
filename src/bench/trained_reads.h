// Which slots a trained model reads.
#pragma once

#include <filesystem>

#include "bench/draws.h"

namespace memlayers::bench {

/// Lets the newest checkpoint of `run` (a training's output folder) read some of the data it was trained on, and keeps the slots of its
/// first table in the order of the reads. Throws UsageError: a run without memory layers; IoError: run or data cannot be read.
TrainedReads trained_reads(const std::filesystem::path& run);

}  // namespace memlayers::bench
