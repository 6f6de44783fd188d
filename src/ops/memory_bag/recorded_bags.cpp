#include "ops/memory_bag/recorded_bags.h"
#include "ops/without_gradient.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

namespace memlayers::ops {
namespace {

void nothing_recorded(const at::Tensor& /*table*/) {}

}  // namespace

void check_recorded_bags(const at::Tensor& table) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::check_recorded_bags", "")
                             .typed<void(const at::Tensor&)>();
  op.call(table);
}

TORCH_LIBRARY_FRAGMENT(memlayers, library) { library.def("check_recorded_bags(Tensor table) -> ()"); }
TORCH_LIBRARY_IMPL(memlayers, CPU, library) { library.impl("check_recorded_bags", nothing_recorded); }
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) { without_gradient(library, {"check_recorded_bags"}); }

}  // namespace memlayers::ops
