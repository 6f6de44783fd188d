// Which build this is. The commit is looked up at every build, so results can name what produced them.
#pragma once

#include <string>

namespace memlayers::cli {

/// "0.1.0"
std::string program_version();
/// Abbreviated commit, with "-dirty" when tracked files differed from it; "unknown" outside a git checkout.
std::string program_commit();

}  // namespace memlayers::cli
