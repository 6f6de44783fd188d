// Telling the disk that a folder's entries changed.
#pragma once

#include "base/file.h"

namespace memlayers::base {

/// Flushes a folder's entries ("" is the current folder). File systems that cannot sync a folder are left alone.
void sync_folder(const fs::path& folder);

}  // namespace memlayers::base
