// The bits that are in biographies.
#pragma once

#include <cmath>
#include <numbers>

#include "data/sources/biography_file.h"

namespace memlayers::tests {

/// Bits of the choice of `people` names out of `names`, and of their values.
inline double entropy(const data::Biographies& data) {
  const auto names = static_cast<double>(data.names), people = static_cast<double>(data.people.size());
  double bits =
      (std::lgamma(names + 1) - std::lgamma(people + 1) - std::lgamma(names - people + 1)) / std::numbers::ln2;
  for (const data::BiographyAttribute& attribute : data.attributes) {
    bits += people * std::log2(static_cast<double>(attribute.values));
  }
  return bits;
}

}  // namespace memlayers::tests
