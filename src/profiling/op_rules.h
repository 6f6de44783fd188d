// What each operation of a training step is called for a reader, and what it has to move and to multiply at the least,
// told from the shapes it is called with.
#pragma once

#include <string>

#include "ops/op_work.h"

namespace memlayers::profiling {

using ops::OpCall;
using ops::OpRule;
using ops::OpWork;

/// Of torch's operations the rules are here, of ours each op states its own. Never fails: an operation without a rule
/// of its own is "everything else", without a limit.
const OpRule& rule_of(const std::string& name);

/// Time between operations, and in autograd's own engine.
inline constexpr const char* kBookkeeping = "bookkeeping";

}  // namespace memlayers::profiling
