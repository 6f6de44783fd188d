#include "cli/build_info.h"

#include "memlayers_build.h"  // written by cmake/build_info.cmake

namespace memlayers::cli {

std::string program_version() { return MEMLAYERS_VERSION; }
std::string program_commit() { return MEMLAYERS_COMMIT; }

}  // namespace memlayers::cli
