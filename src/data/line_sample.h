// A uniform sample of lines of unknown number, in memory bounded by the sample (reservoir sampling).
#pragma once

#include <string>
#include <vector>

#include "base/random.h"

namespace memlayers::data {

class LineSample {
 public:
  LineSample(int64_t size, uint64_t seed);

  /// Adds the lines of a text; long ones are cut into pieces that the tokenizer's trainer takes.
  void add(std::string_view text);
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  void add_line(std::string_view line);

  uint64_t size_, seen_ = 0;
  base::RandomStream stream_;
  std::vector<std::string> lines_;
};

}  // namespace memlayers::data
