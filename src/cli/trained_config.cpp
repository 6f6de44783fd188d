#include "cli/trained_config.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace memlayers::cli {

std::optional<training::TrainConfig> trained_config(const std::filesystem::path& checkpoint) {
  const std::filesystem::path file = checkpoint / "state.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  const auto state = nlohmann::json::parse(base::read_text(file), nullptr, /*allow_exceptions=*/false);
  if (!state.is_object() || !state.contains("config")) throw base::IoError(file, "is damaged: no configuration in it");
  return base::parse_config<training::TrainConfig>(state["config"].dump(), file.string());
}

}  // namespace memlayers::cli
