#include "training/resume_check.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace memlayers::training {
namespace {

void flatten(const nlohmann::json& value, const std::string& key, std::map<std::string, std::string>& leaves) {
  if (value.is_structured()) {
    for (const auto& [name, item] : value.items()) flatten(item, key.empty() ? name : key + "." + name, leaves);
    if (value.is_array()) leaves[key + ".size"] = std::to_string(value.size());
  } else {
    leaves[key] = value.dump();
  }
}

bool must_not_change(const std::string& key) {
  if (key.starts_with("data.sources.")) return !key.ends_with(".path");
  return key.starts_with("model.") || key.starts_with("data.") || key == "seed" || key == "optimizer.table_optimizer" ||
         key == "trainable";
}

std::string value_or_none(const std::map<std::string, std::string>& leaves, const std::string& key) {
  const auto found = leaves.find(key);
  return found == leaves.end() ? "(none)" : found->second;
}

}  // namespace

std::vector<std::string> changes_on_resume(const nlohmann::json& saved, const TrainConfig& now, int64_t steps_done,
                                           const std::string& where) {
  std::map<std::string, std::string> before, after;
  // A key younger than the checkpoint: what its default does is what was done then. Lists are taken whole.
  nlohmann::json completed = base::config_to_json(TrainConfig{});
  completed.update(saved, /*merge_objects=*/true);
  flatten(completed, "", before);
  flatten(nlohmann::json::parse(base::config_to_json(now).dump()), "", after);
  std::map<std::string, std::string> keys = before;
  keys.insert(after.begin(), after.end());
  std::vector<std::string> allowed;
  std::string refused;
  for (const auto& [key, unused] : keys) {
    const std::string old_value = value_or_none(before, key), new_value = value_or_none(after, key);
    if (old_value == new_value) continue;
    const std::string change = base::concat(key, ": ", old_value, " -> ", new_value);
    if (must_not_change(key)) {
      refused += (refused.empty() ? "" : ", ") + change;
    } else {
      allowed.push_back(change);
    }
  }
  base::check(refused.empty(), "cannot resume from ", where, " with another ", refused,
              "; undo the change, or start a new run with another output");
  base::check(now.steps >= steps_done, "cannot resume from ", where, ": ", steps_done, " steps are done and steps is ",
              now.steps, "; raise steps, or use the checkpoint as it is");
  return allowed;
}

}  // namespace memlayers::training
