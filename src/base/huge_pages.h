// Large pages under large arrays that are read at random places.
#pragma once

#include <cstddef>

namespace memlayers::base {

/// Asks the kernel to put 2 MiB pages under [begin, begin + bytes), so that a row of a large table does not cost a walk
/// through the page tables each time. To be called before the memory is first written. Only a wish: small arrays, and
/// kernels that have such pages switched off, are left as they are.
void prefer_huge_pages(void* begin, size_t bytes);

}  // namespace memlayers::base
