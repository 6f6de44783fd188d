#include "experiments/step_times.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "profiling/profile_steps.h"

namespace memlayers::experiments {
namespace {

std::optional<results::StepProfile> stored_times(const std::filesystem::path& path, int64_t steps) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  try {
    const auto stored = base::load_config<results::StepProfile>(path);
    if (stored.steps == steps) return stored;
  } catch (const base::Error& error) {
    base::log_warning(base::concat(error.what(), "; the steps are timed again"));
  }
  return std::nullopt;
}

}  // namespace

std::optional<results::StepProfile> step_times(const std::filesystem::path& run, int64_t steps,
                                               const std::string& title) {
  const std::filesystem::path path = run / "step_times.json";
  if (const auto stored = stored_times(path, steps)) return stored;
  if (base::interrupted()) return std::nullopt;
  const results::StepProfile measured = profiling::profile_run(run, steps, title);
  if (base::interrupted()) return std::nullopt;
  base::write_text_atomically(path, base::config_to_json(measured).dump(1) + "\n");
  return measured;
}

}  // namespace memlayers::experiments
