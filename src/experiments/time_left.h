// How long the cells of an experiment that are still to be run will take, told before the first and after each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace memlayers::experiments {

struct Cell {
  std::string variant;
  double flops = 0;    // of its training
  bool left = true;    // to be run; false: it was, or failed
  double seconds = 0;  // that it took on this machine; 0: not known
};

/// A cell takes what its variant's cells took (their mean). Where none of them was run, it takes as long a FLOP as all
/// those that were, a rough guess since kinds of model differ in that; where none was run at all, `seconds_per_flop`,
/// the pace of a first one's beginning. Nothing where that is 0, not known, too. Cells run `jobs` at a time.
std::optional<double> seconds_left(const std::vector<Cell>& cells, double seconds_per_flop = 0, size_t jobs = 1);
/// "8 cells of 30 left; about 2 h 10 min", without the time where it is not known.
std::string left_text(const std::vector<Cell>& cells, double seconds_per_flop = 0, size_t jobs = 1);

}  // namespace memlayers::experiments
