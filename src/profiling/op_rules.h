// What each operation of a training step is called for a reader, and what it has to move and to multiply at the least, told from
// the shapes it is called with.
#pragma once

#include <ATen/core/ivalue.h>

#include <string>

namespace memlayers::profiling {

/// The least that one call must do. What is read twice counts once; what is kept for backward counts as written.
struct OpWork {
  double flops = 0, narrow_flops = 0;        // in float32 or wider, and in 16 bits
  double read_bytes = 0, written_bytes = 0;  // in order
  double gathered_bytes = 0;                 // rows of a table, at random
};

struct OpCall {
  c10::ArrayRef<at::IValue> inputs, outputs;
};

struct OpRule {
  const char* group;
  OpWork (*work)(const OpCall& call);  // null: no limit can be stated
};

/// Never fails: an operation without a rule of its own is "everything else", without a limit.
const OpRule& rule_of(const std::string& name);

/// Time between operations, and in autograd's own engine.
inline constexpr const char* kBookkeeping = "bookkeeping";

}  // namespace memlayers::profiling
