#include "results/step_shares.h"

#include <algorithm>
#include <map>

namespace memlayers::results {
std::vector<GroupTime> group_times(const StepProfile& step, const std::vector<std::string>& order) {
  std::vector<GroupTime> groups;
  for (const std::string& name : order) {
    GroupTime sum{name, 0, std::nullopt};
    bool any = false, all_limited = true;
    double limit = 0;
    for (const OpProfile& op : step.ops) {
      if (op.group != name) continue;
      any = true;
      sum.seconds += op.seconds;
      all_limited = all_limited && op.limit_seconds.has_value();
      limit += op.limit_seconds.value_or(0);
    }
    if (any && all_limited) sum.limit_seconds = limit;
    groups.push_back(std::move(sum));
  }
  return groups;
}

std::vector<std::string> group_order(const std::vector<VariantStep>& steps) {
  std::map<std::string, double> most;
  for (const VariantStep& each : steps) {
    std::map<std::string, double> seconds;
    for (const OpProfile& op : each.step.ops) seconds[op.group] += op.seconds;
    for (const auto& [group, sum] : seconds) most[group] = std::max(most[group], sum);
  }
  std::vector<std::string> order;
  for (const auto& [group, seconds] : most) order.push_back(group);
  std::stable_sort(order.begin(), order.end(), [&](const std::string& a, const std::string& b) {
    const bool a_last = a == "everything else", b_last = b == "everything else";
    return a_last != b_last ? b_last : most[a] > most[b];
  });
  return order;
}

}  // namespace memlayers::results
