// Seeds of randomized tests: fixed, or the one that a failure printed.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace memlayers::tests {

/// 1, 2, ... count; or only MEMLAYERS_TEST_SEED where it is set, to repeat a failure.
inline std::vector<uint64_t> seeds(int count = 3) {
  if (const char* wanted = std::getenv("MEMLAYERS_TEST_SEED")) return {std::stoull(wanted)};
  std::vector<uint64_t> result;
  for (int i = 1; i <= count; ++i) result.push_back(static_cast<uint64_t>(i));
  return result;
}

/// For SCOPED_TRACE.
inline std::string seed_note(uint64_t seed) { return "repeat with MEMLAYERS_TEST_SEED=" + std::to_string(seed); }

}  // namespace memlayers::tests
