// What other programs wrote and what they made of it, to be reproduced: copies of a part in tests/golden, all of it
// where ../shared, or what MEMLAYERS_SHARED_DIR or MEMLAYERS_INTERCHANGE_DIR name, has it.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memlayers::tests {

/// Folders called `name` ("tokenizers", "hf_llama") of every collection that is there.
inline std::vector<std::filesystem::path> interchange_folders(const std::string& name) {
  namespace fs = std::filesystem;
  std::vector<fs::path> folders = {fs::path(MEMLAYERS_SOURCE_DIR) / "tests" / "golden" / name};
  const char* shared = std::getenv("MEMLAYERS_SHARED_DIR");
  folders.push_back(
      (shared != nullptr && *shared != '\0' ? fs::path(shared) : fs::path(MEMLAYERS_SOURCE_DIR) / ".." / "shared") /
      "interchange" / name);
  if (const char* other = std::getenv("MEMLAYERS_INTERCHANGE_DIR"); other != nullptr && *other != '\0')
    folders.push_back(fs::path(other) / name);
  std::erase_if(folders, [](const fs::path& folder) { return !fs::is_directory(folder); });
  return folders;
}

/// Folders that hold `file`, of all collections, sorted; each is one variant.
inline std::vector<std::filesystem::path> interchange_variants(const std::string& name, const std::string& file) {
  std::vector<std::filesystem::path> variants;
  for (const auto& folder : interchange_folders(name)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (std::filesystem::exists(entry.path() / file)) variants.push_back(entry.path());
    }
  }
  std::sort(variants.begin(), variants.end());
  return variants;
}

inline std::vector<nlohmann::json> json_lines(const std::filesystem::path& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) lines.push_back(nlohmann::json::parse(line));
  }
  return lines;
}

}  // namespace memlayers::tests
