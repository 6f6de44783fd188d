// What a run that was trained lends to benchmarks: the slots its model reads, and the model itself.
#pragma once

#include <filesystem>

#include "bench/catalog.h"

namespace memlayers::bench {

/// Lets the newest checkpoint of `run` (a training's output folder) read some of the data it was trained on, and keeps
/// the slots of its first table in the order of the reads. Throws UsageError: a run without memory layers; IoError: run
/// or data cannot be read.
TrainedReads trained_reads(const std::filesystem::path& run);

/// The model of `run` as it was trained, and a new one without its memory layers. Throws UsageError, IoError as above.
Twins twins_of_run(const std::filesystem::path& run);

}  // namespace memlayers::bench
