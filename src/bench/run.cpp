#include "bench/run.h"

#include <ATen/Parallel.h>

#include <cassert>
#include <optional>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/threads.h"
#include "bench/table_memory.h"

namespace memlayers::bench {
namespace {

class Runner {
 public:
  Runner(const RunOptions& options, const std::function<void(const Result&)>& on_result, size_t cases)
      : options_(options), on_result_(on_result), all_threads_(at::get_num_threads()) {
    if (options.progress) progress_.emplace("bench", cases, "cases");
  }
  ~Runner() { at::set_num_threads(all_threads_); }

  void run(const Case& each) {
    const int threads = base::useful_threads(options_.threads > 0 ? options_.threads
                                             : each.threads > 0   ? each.threads
                                                                  : all_threads_);
    at::set_num_threads(threads);
    show(each, "making it ready");
    const Workload work = each.make();
    assert(work.rivals.size() == each.against.size());
    Result result{each.name, each.shape,  each.distribution, each.dtype, "", {},
                  threads,   work.tokens, work.bytes,        work.flops, 0,  {}};
    std::vector<Result> results;
    for (const Rival& rival : work.rivals) {
      if (base::interrupted() && !results.empty()) break;
      show(each, "against " + rival.name);
      result.against = rival.name;
      result.against_flops = rival.flops;
      result.timing = measure(work.ours, rival.run, options_.measure);
      results.push_back(result);
    }
    if (work.rivals.empty()) {
      show(each, "");
      result.timing = measure(work.ours, {}, options_.measure);
      results.push_back(result);
    }
    if (work.more && !base::interrupted()) ask_for_more(each, work, results);
    for (const Result& finished : results) {
      if (on_result_) on_result_(finished);
      outcome.results.push_back(finished);
    }
    ++done_;
  }

  void finish() {
    if (progress_ && !outcome.interrupted) progress_->finish();
  }

  RunOutcome outcome;

 private:
  void show(const Case& each, const std::string& what) {
    if (progress_) progress_->update(done_, each.name + " " + what);
  }

  void ask_for_more(const Case& each, const Workload& work, std::vector<Result>& results) {
    const nlohmann::ordered_json more = work.more();
    for (Result& result : results) result.more = more;
    if (more.contains("failure")) {
      outcome.failures.push_back(base::concat(each.name, ": ", more["failure"].get<std::string>()));
    }
  }

  const RunOptions& options_;
  const std::function<void(const Result&)>& on_result_;
  const int all_threads_;
  std::optional<base::Progress> progress_;
  uint64_t done_ = 0;
};

}  // namespace

RunOutcome run(const std::vector<Case>& cases, const RunOptions& options,
               const std::function<void(const Result&)>& on_result) {
  Runner runner(options, on_result, cases.size());
  for (const Case& each : cases) {
    if ((runner.outcome.interrupted = base::interrupted())) break;
    runner.run(each);
  }
  runner.outcome.interrupted = base::interrupted();
  runner.finish();
  release_reading_table();
  return std::move(runner.outcome);
}

}  // namespace memlayers::bench
