// A command as a person would type it again.
#pragma once

#include <string>
#include <vector>

namespace memlayers::cli {

/// `command`, a file and overrides, those quoted for a shell that need it.
std::string command_text(const std::string& command, const std::string& file,
                         const std::vector<std::string>& overrides);

}  // namespace memlayers::cli
