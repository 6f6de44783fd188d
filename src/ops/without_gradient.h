// For ops that take no part in autograd: the table's updates, and what backward passes call.
#pragma once

#include <torch/library.h>

#include <initializer_list>

namespace memlayers::ops {

/// Registers the ops `names` with autograd as having no gradient, in a TORCH_LIBRARY_IMPL(memlayers, Autograd,
/// library). Without an entry of its own, torch sends an op through a fallback that boxes every argument, to warn
/// whoever asks for its gradient: for an update that is a copy of the rates of all steps, at each step.
inline void without_gradient(torch::Library& library, std::initializer_list<const char*> names) {
  for (const char* name : names) library.impl(name, torch::CppFunction::makeFallthrough());
}

}  // namespace memlayers::ops
