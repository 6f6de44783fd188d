// The cases of `memlayers bench` under Google Benchmark, for its filters, repetitions and profiles. Ours and each rival
// are entries of their own, one after another; ratios that hold on a busy machine come from `memlayers bench`, which
// takes turns.
//
//   memlayers_benchmarks [--quick] [--benchmark_filter=bag_forward ...]
#include <benchmark/benchmark.h>

#include <cstring>
#include <optional>

#include "bench/catalog.h"

namespace memlayers::bench {
namespace {

/// Made when its first entry runs, and dropped for the next case: tables of several do not fit side by side.
const Workload& workload_of(const Case& each) {
  static const Case* current = nullptr;
  static std::optional<Workload> made;
  if (current != &each) {
    made.reset();
    made.emplace(each.make());
    current = &each;
  }
  return *made;
}

/// Rival number `rival`, or ours where there is none.
void add(const Case& each, std::optional<size_t> rival) {
  std::string name = each.name;
  for (const auto& [letter, value] : each.shape.items()) name += "/" + letter + ":" + value.dump();
  name += "/" + each.distribution + "/" + each.dtype + "/" + (rival ? each.against[*rival] : "ours");
  const auto body = [&each, rival](benchmark::State& state) {
    const Workload& work = workload_of(each);
    const std::function<void()>& run = rival ? work.rivals[*rival].run : work.ours;
    for (auto _ : state) run();
    if (work.bytes > 0) state.SetBytesProcessed(state.iterations() * work.bytes);
  };
  benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime();
}

}  // namespace
}  // namespace memlayers::bench

int main(int argc, char** argv) {
  using namespace memlayers::bench;
  CaseOptions options;
  benchmark::Initialize(&argc, argv);
  for (int i = 1; i < argc; ++i) options.quick = options.quick || std::strcmp(argv[i], "--quick") == 0;
  const std::vector<Case> cases = cases_of({}, options);
  for (const Case& each : cases) {
    add(each, std::nullopt);
    for (size_t rival = 0; rival < each.against.size(); ++rival) add(each, rival);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
