#include "cli/command_text.h"

namespace memlayers::cli {

std::string command_text(const std::string& command, const std::string& file,
                         const std::vector<std::string>& overrides) {
  std::string text = command + " " + file;
  for (const std::string& item : overrides) {
    const bool plain = item.find_first_of(" '\"[]{}$*?&;|<>()#\\") == std::string::npos;
    text += plain ? " " + item : " '" + item + "'";
  }
  return text;
}

}  // namespace memlayers::cli
