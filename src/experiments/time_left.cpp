#include "experiments/time_left.h"

#include <algorithm>

#include "base/error.h"
#include "results/number_text.h"

namespace memlayers::experiments {
namespace {

struct Sum {
  double cells = 0, seconds = 0, flops = 0;
};

/// Over the cells whose seconds are known; of one variant, or of all where it is empty.
Sum known(const std::vector<Cell>& cells, const std::string& variant) {
  Sum sum;
  for (const Cell& cell : cells) {
    if (cell.seconds <= 0 || (!variant.empty() && cell.variant != variant)) continue;
    sum.cells += 1;
    sum.seconds += cell.seconds;
    sum.flops += cell.flops;
  }
  return sum;
}

int64_t count_left(const std::vector<Cell>& cells) {
  return std::count_if(cells.begin(), cells.end(), [](const Cell& cell) { return cell.left; });
}

}  // namespace

std::optional<double> seconds_left(const std::vector<Cell>& cells, double seconds_per_flop, size_t jobs) {
  const Sum all = known(cells, {});
  if (all.flops > 0) seconds_per_flop = all.seconds / all.flops;
  double seconds = 0, longest = 0;
  for (const Cell& cell : cells) {
    if (!cell.left) continue;
    const Sum own = known(cells, cell.variant);
    if (own.cells == 0 && seconds_per_flop <= 0) return std::nullopt;
    const double one = own.cells > 0 ? own.seconds / own.cells : cell.flops * seconds_per_flop;
    seconds += one;
    longest = std::max(longest, one);
  }
  return std::max(seconds / static_cast<double>(jobs), longest);
}

std::string left_text(const std::vector<Cell>& cells, double seconds_per_flop, size_t jobs) {
  const int64_t left = count_left(cells);
  const std::optional<double> seconds = seconds_left(cells, seconds_per_flop, jobs);
  return base::concat(left, left == 1 ? " cell of " : " cells of ", cells.size(), " left",
                      seconds ? "; about " + results::seconds_text(*seconds) : "");
}

}  // namespace memlayers::experiments
