#include "experiments/comparison_identity.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/joined.h"

namespace memlayers::experiments {
namespace {

using Json = nlohmann::ordered_json;

/// The different texts of the runs, in their order; results of before they were kept have none.
std::string different(const std::vector<results::RunResult>& runs, std::string results::RunResult::*text,
                      const char* between) {
  std::vector<std::string> seen;
  for (const results::RunResult& run : runs) {
    const std::string one = (run.*text).empty() ? "unknown" : run.*text;
    if (std::find(seen.begin(), seen.end(), one) == seen.end()) seen.push_back(one);
  }
  return base::joined(seen, between);
}

/// When the first and the last of them was finished.
std::string period(const std::vector<results::RunResult>& runs) {
  std::string first, last;  // as now_utc writes them, so that they sort
  for (const results::RunResult& run : runs) {
    if (run.date.empty()) continue;
    if (first.empty() || run.date < first) first = run.date;
    last = std::max(last, run.date);
  }
  if (first.empty()) return "unknown";
  const bool all =
      std::none_of(runs.begin(), runs.end(), [](const results::RunResult& run) { return run.date.empty(); });
  return (first == last ? first : base::concat(first, " to ", last)) + (all ? "" : ", and unknown");
}

/// A stored identity with the keys that are younger than it: what their defaults do is what was done then. Lists are
/// taken whole.
Json completed(const Json& stored) {
  Json all = identity(ComparePlan{});
  const Json run = all["run"];
  all.update(stored, /*merge_objects=*/true);
  for (auto& variant : all["variant"]) {
    Json whole = run;
    whole.update(variant, /*merge_objects=*/true);
    variant = std::move(whole);
  }
  return all;
}

/// What the two differ in, in words.
std::string difference(const nlohmann::json& before, const nlohmann::json& after) {
  for (const auto& [key, value] : before.items()) {
    if (!after.contains(key)) return base::concat(key.substr(1), " is absent now and ", value.dump(), " there");
  }
  for (const auto& [key, value] : after.items()) {
    const bool known = before.contains(key);
    if (known && before[key] == value) continue;
    return base::concat(key.substr(1), " is ", value.dump(), " now and ", known ? before[key].dump() : "absent",
                        " there");
  }
  return "it names other keys";
}

}  // namespace

Json joined_identity(const std::filesystem::path& path, const Json& now) {
  const Json read = Json::parse(base::read_text(path), nullptr, /*allow_exceptions=*/false);
  if (!read.is_object()) throw base::IoError(path, "is damaged; delete the folder to compare again");
  Json stored = completed(read);
  const auto take_missing = [](Json& variants, const Json& others) {
    for (const auto& [name, run] : others.items()) {
      if (!variants.contains(name)) variants[name] = run;
    }
  };
  Json all = now;
  take_missing(stored["variant"], now["variant"]);
  take_missing(all["variant"], stored["variant"]);
  const nlohmann::json before = stored.flatten(), after = all.flatten();  // whatever the order of the variants
  if (before == after) return all;
  throw base::UsageError(base::concat(path.parent_path().string(), " holds a comparison of another configuration (",
                                      difference(before, after), "); give another output=FOLDER, or delete that one"));
}

Json identity(const ComparePlan& plan) {
  Json config = base::config_to_json(plan.config);
  for (const char* key :
       {"extends", "title", "description", "output", "profile_steps", "baseline", "seeds", "variants"})
    config.erase(key);
  config["run"].erase("output");
  for (size_t v = 0; v < plan.runs.size(); ++v) {
    Json run = base::config_to_json(plan.runs[v]);
    run.erase("output");
    config["variant"][plan.config.variants[v].name] = std::move(run);
  }
  return config;
}

void set_origin(results::Comparison& comparison) {
  comparison.machine = different(comparison.runs, &results::RunResult::machine, "; ");
  comparison.commit = different(comparison.runs, &results::RunResult::commit, ", ");
  comparison.date = period(comparison.runs);
}

}  // namespace memlayers::experiments
