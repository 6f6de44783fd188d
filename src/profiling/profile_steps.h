// Taking training steps and saying where the time of one went.
#pragma once

#include "profiling/op_times.h"
#include "profiling/training_steps.h"

namespace memlayers::profiling {

struct TimedStep {
  results::StepParts parts;
  std::map<std::string, OpTime> ops;
};

/// Takes `steps` (1 or more) and gives the fastest, which whatever else runs on the machine disturbed least.
/// `progress`, where given, hears after each how many are done. Stops earlier when the process is interrupted.
TimedStep fastest_step(TrainingSteps& training, int64_t steps, const std::function<void(int64_t)>& progress = {});

/// Goes on from the newest checkpoint of `run` (a training's output folder, which is only read) with its own data and
/// threads: two steps to warm up, then `steps`; measures the machine's limits before and after. Shows its progress
/// under `title`. Throws UsageError, IoError: run or data cannot be read. What it gives is of fewer steps when the
/// process was interrupted.
results::StepProfile profile_run(const std::filesystem::path& run, int64_t steps, const std::string& title);

}  // namespace memlayers::profiling
