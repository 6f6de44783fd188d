// What was wrong with some of many: each is named as it is met, all are counted, and the end says how many there were.
#pragma once

#include <string>

#include "base/error.h"
#include "base/log.h"

namespace memlayers::base {

class Problems {
 public:
  /// Logs `problem` ("FILE:21 (id 9000): needs 312 positions, ...") as a warning; after kMostNamed they are only
  /// counted.
  void add(const std::string& problem) {
    if (count_++ == 0) first_ = problem;
    if (count_ <= kMostNamed) log_warning(problem);
    if (count_ == kMostNamed) log_warning("more of this kind are counted, but not named");
  }
  size_t count() const { return count_; }
  /// The first, and how many more there were; empty where nothing was wrong.
  std::string summary() const { return count_ > 1 ? concat(first_, " (and ", count_ - 1, " more)") : first_; }
  /// Throws Error "3 of 41 questions could not be asked: ..." unless nothing was wrong.
  void throw_if_any(size_t of_all, const std::string& what_could_not_be) const {
    if (count_ > 0) throw Error(concat(count_, " of ", of_all, " ", what_could_not_be, ": ", summary()));
  }

 private:
  static constexpr size_t kMostNamed = 200;
  size_t count_ = 0;
  std::string first_;
};

}  // namespace memlayers::base
