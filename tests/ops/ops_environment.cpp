// ctest runs this program once per instruction set (MEMLAYERS_ISA). A set that the processor lacks skips everything.
#include <gtest/gtest.h>

#include <string>

#include "base/cpu.h"
#include "base/error.h"

namespace {

class InstructionSet : public ::testing::Environment {
 public:
  void SetUp() override {
    try {
      memlayers::base::isa();
    } catch (const memlayers::base::UsageError& error) {
      if (std::string(error.what()).find("this processor has no more than") == std::string::npos) throw;
      GTEST_SKIP() << "processor lacks the instruction set: " << error.what();
    }
  }
};

const auto* const kInstructionSet = ::testing::AddGlobalTestEnvironment(new InstructionSet);

}  // namespace
