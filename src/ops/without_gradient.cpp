// Operations that take no part in autograd: the table's updates, and what backward passes call.
//
// Without an entry of its own, torch sends an operation through a fallback that boxes every argument, to warn whoever asks
// for its gradient: for an update that is a copy of the rates of all steps, at each step.
#include <torch/library.h>

TORCH_LIBRARY_IMPL(memlayers, Autograd, library) {
  for (const char* name : {"bring_rows_up_to_date",
                           "check_recorded_bags",
                           "decode_memory",
                           "dense_row_update",
                           "dequantize_rows",
                           "gather_row_gradient",
                           "memory_bag_weight_gradient",
                           "pack_projection",
                           "pack_sub_keys",
                           "product_key_topk_backward",
                           "product_key_topk_packed",
                           "quantize_rows",
                           "quantized_bag_weight_gradient",
                           "rms_norm_backward",
                           "row_squared_norm",
                           "row_update",
                           "softmax_cross_entropy",
                           "softmax_cross_entropy_gradient_",
                           "sort_records",
                           "sum_touched_rows",
                           "swiglu_backward"}) {
    library.impl(name, torch::CppFunction::makeFallthrough());
  }
}
