#include "bench/catalog.h"

#include <algorithm>

#include "base/config_reader.h"
#include "base/error.h"

namespace memlayers::bench {
namespace {

const Benchmark& find(const std::string& name) {
  const std::vector<Benchmark>& all = benchmarks();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Benchmark& each) { return name == each.name; });
  if (found != all.end()) return *found;
  std::vector<std::string> names;
  for (const Benchmark& each : all) names.emplace_back(each.name);
  const std::string nearest = base::nearest_name(name, names);
  throw base::UsageError(base::concat("no benchmark '", name, "'",
                                      nearest.empty() ? std::string() : "; did you mean '" + nearest + "'?",
                                      " (memlayers bench --list lists all)"));
}

}  // namespace

const std::vector<Benchmark>& benchmarks() {
  static const std::vector<Benchmark> all = {
      {"selection", "product_key_topk, against a product and top-k for each half and a top-k of their sums", false,
       selection_cases},
      {"selection_backward", "its gradient to queries and sub-keys, against autograd of the same", false,
       selection_backward_cases},
      {"bag_forward", "memory_bag, against embedding_bag, gather and product, a plain row gather, a streaming copy",
       false, bag_forward_cases},
      {"bag_weight_gradient", "the gradient of the bag's weights, against embedding_bag's and a plain row gather",
       false, bag_weight_gradient_cases},
      {"bag_backward_update",
       "records to row gradients to updated rows, against a dense gradient with AdamW, a sparse one, smaller tables",
       false, bag_backward_update_cases},
      {"train_step",
       "a training step of a Memory+ model, or of a mixture of experts, against its dense twin, and where its time "
       "goes",
       true, train_step_cases},
      {"decode", "tokens one by one with the key/value cache, against the dense twin", true, decode_cases},
      {"train_memory", "peak bytes of a training step, against what table, state and touched rows allow", true,
       train_memory_cases},
  };
  return all;
}

bool needs_twins(const std::vector<std::string>& names) {
  for (const std::string& name : names) find(name);
  return std::any_of(benchmarks().begin(), benchmarks().end(), [&](const Benchmark& each) {
    return each.needs_twins && (names.empty() || std::find(names.begin(), names.end(), each.name) != names.end());
  });
}

std::vector<Case> cases_of(const std::vector<std::string>& names, const CaseOptions& options) {
  for (const std::string& name : names) find(name);
  std::vector<Case> result;
  for (const Benchmark& benchmark : benchmarks()) {
    if (!names.empty() && std::find(names.begin(), names.end(), benchmark.name) == names.end()) continue;
    for (Case& each : benchmark.cases(options)) {
      if (options.dtype.empty() || each.dtype == options.dtype) result.push_back(std::move(each));
    }
  }
  base::check(!result.empty(), "bench: none of these benchmarks has a case of dtype ", options.dtype);
  return result;
}

}  // namespace memlayers::bench
