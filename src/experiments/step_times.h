// Where the time of a run's training steps goes, measured once and kept beside the run.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "results/step_profile.h"

namespace memlayers::experiments {

/// What RUN/step_times.json holds, where it is of `steps` steps; else takes that many after the run's last checkpoint
/// (which stays as it is) and writes the file. Shows its progress under `title`. Nothing when interrupted. Throws
/// UsageError, IoError: the run or its data cannot be read, as where only the results were brought here.
std::optional<results::StepProfile> step_times(const std::filesystem::path& run, int64_t steps,
                                               const std::string& title);

}  // namespace memlayers::experiments
