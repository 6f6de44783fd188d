#include "profiling/profile_steps.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "base/cpu.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "profiling/machine_limits.h"

namespace memlayers::profiling {
namespace {

constexpr int64_t kWarmUp = 2;
constexpr int64_t kMostBatches = 64;  // read; then from the first again

TimedStep timed_step(TrainingSteps& training) {
  training.parts = {};
  const OpTimes times;
  training.step();
  return {training.parts, times.ops()};
}

/// The plain gather of what the steps read, over all tables.
double gather_rate(TrainingSteps& training) {
  double bytes = 0, seconds = 0;
  for (size_t t = 0; t < training.reads().size(); ++t) {
    const at::Tensor& table = layers::local_table(*training.model().tables()[t].table, "measuring a gather").weight();
    const double rate = measure_gather(table, training.reads()[t]);
    if (rate == 0) return 0;
    const double row_bytes = double(table.size(1)) * double(table.element_size());
    double read = 0;
    for (const at::Tensor& slots : training.reads()[t]) read += double(slots.numel()) * row_bytes;
    bytes += read;
    seconds += read / rate;
  }
  return seconds > 0 ? bytes / seconds : 0;
}

std::optional<double> limit_of(const OpTime& op, const MachineLimits& limits) {
  if (op.calls.empty()) return std::nullopt;
  double sum = 0;
  for (const OpWork& call : op.calls) {
    const std::optional<double> seconds = limits.seconds(call);
    if (!seconds) return std::nullopt;
    sum += *seconds;
  }
  return sum;
}

std::vector<results::OpProfile> listed(const TimedStep& step, const MachineLimits& limits) {
  std::vector<results::OpProfile> ops;
  double inside = 0;
  for (const auto& [name, op] : step.ops) {
    ops.push_back({name, op.rule->group, op.seconds, limit_of(op, limits)});
    inside += op.seconds;
  }
  ops.push_back({"between operations", kBookkeeping, step.parts.seconds() - inside, std::nullopt});
  std::stable_sort(ops.begin(), ops.end(),
                   [](const results::OpProfile& a, const results::OpProfile& b) { return a.seconds > b.seconds; });
  return ops;
}

}  // namespace

TimedStep fastest_step(TrainingSteps& training, int64_t steps, const std::function<void(int64_t)>& progress) {
  TimedStep fastest = timed_step(training);
  if (progress) progress(1);
  for (int64_t i = 1; i < steps && !base::interrupted(); ++i) {
    TimedStep step = timed_step(training);
    if (step.parts.seconds() < fastest.parts.seconds()) fastest = std::move(step);
    if (progress) progress(i + 1);
  }
  return fastest;
}

results::StepProfile profile_run(const std::filesystem::path& run, int64_t steps, const std::string& title) {
  auto config = base::load_config<training::TrainConfig>(run / "config.yaml");
  config.steps += kWarmUp + steps;
  training::use_threads(config.threads);
  base::Progress progress(title, uint64_t(kWarmUp + steps), "steps");
  std::vector<at::Tensor> batches = read_batches(config, std::min(kMostBatches, kWarmUp + steps));
  size_t taken = 0;
  TrainingSteps training(
      config, [&] { return batches[taken++ % batches.size()]; }, run);
  training.keep_reads = true;
  const bool narrow = model::resolved_dtype(config.dtype) == at::kBFloat16;
  const MachineLimits before = measure_machine(narrow);
  for (int64_t i = 0; i < kWarmUp; ++i) training.step();
  const TimedStep step =
      fastest_step(training, steps, [&](int64_t done) { progress.update(uint64_t(kWarmUp + done)); });
  progress.finish();

  MachineLimits limits = faster_of(before, measure_machine(narrow));
  limits.gather = gather_rate(training);
  results::StepProfile profile;
  profile.machine = base::machine_text();
  profile.threads = at::get_num_threads();
  profile.steps = steps;
  profile.seconds = step.parts.seconds();
  profile.parts = step.parts;
  profile.ops = listed(step, limits);
  profile.rates = limits.rates();
  return profile;
}

}  // namespace memlayers::profiling
