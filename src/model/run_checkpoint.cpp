#include "model/run_checkpoint.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace memlayers::model {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = "manifest.json";
constexpr int64_t kFormat = 1;

fs::path checkpoints_folder(const fs::path& run) { return run / "checkpoints"; }

std::string checkpoint_name(int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "step-%08lld", static_cast<long long>(step));
  return name;
}

/// The step in a folder's name, or nothing for any other name (temporary, damaged, a user's own).
std::optional<int64_t> step_of(const std::string& name) {
  const std::string prefix = "step-";
  if (!name.starts_with(prefix) || name.size() < prefix.size() + 8 || name.size() > prefix.size() + 18)
    return std::nullopt;
  if (!std::all_of(name.begin() + ptrdiff_t(prefix.size()), name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  return std::stoll(name.substr(prefix.size()));
}

void write_manifest(const fs::path& folder) {
  nlohmann::ordered_json files = nlohmann::ordered_json::object();
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    files[path.filename().string()] = {{"bytes", fs::file_size(path)},
                                       {"xxh64", base::hash_text(base::hash_file(path))}};
  }
  const nlohmann::ordered_json manifest = {{"format", kFormat}, {"files", files}};
  base::write_text_atomically(folder / kManifest, manifest.dump(2) + "\n");
}

std::optional<std::string> damage_of_file(const fs::path& path, const nlohmann::json& entry) {
  const std::string name = path.filename().string();
  if (!fs::is_regular_file(path)) return name + ": missing";
  const uint64_t bytes = entry.at("bytes").get<uint64_t>(), found = fs::file_size(path);
  if (found != bytes) return base::concat(name, ": has ", found, " bytes instead of ", bytes);
  if (base::hash_text(base::hash_file(path)) != entry.at("xxh64").get<std::string>()) {
    return name + ": its bytes are not those that were saved (the hash differs)";
  }
  return std::nullopt;
}

/// Renamed first, so that a kill in between leaves nothing that looks like a checkpoint.
void delete_checkpoint(const fs::path& folder) {
  const fs::path removing = folder.string() + ".removing";
  std::error_code ignored;
  fs::rename(folder, removing, ignored);
  fs::remove_all(removing, ignored);
}

}  // namespace

std::vector<RunCheckpoint> list_checkpoints(const fs::path& run) {
  std::vector<RunCheckpoint> found;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(checkpoints_folder(run), missing)) {
    const auto step = step_of(entry.path().filename().string());
    if (step && entry.is_directory()) found.push_back({entry.path(), *step});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return found;
}

fs::path write_checkpoint(const fs::path& run, int64_t step, const std::function<void(const fs::path&)>& fill) {
  const fs::path folder = checkpoints_folder(run) / checkpoint_name(step);
  base::write_folder_atomically(folder, [&](const fs::path& temporary) {
    fill(temporary);
    write_manifest(temporary);
  });
  return folder;
}

std::optional<std::string> damage_of(const fs::path& checkpoint) {
  try {
    const auto manifest = nlohmann::json::parse(base::read_text(checkpoint / kManifest));
    if (manifest.at("format").get<int64_t>() != kFormat) return std::string(kManifest) + ": of another format version";
    for (const char* needed : {"config.json", "state.json", "training_state.safetensors"}) {
      if (!manifest.at("files").contains(needed)) return base::concat(kManifest, ": does not list ", needed);
    }
    for (const auto& [name, entry] : manifest.at("files").items()) {
      if (fs::path(name).filename() != name) return base::concat(kManifest, ": ", name, " is no file name");
      if (const auto damage = damage_of_file(checkpoint / name, entry)) return damage;
    }
  } catch (const base::IoError& error) {
    return error.what();
  } catch (const nlohmann::json::exception&) {
    return std::string(kManifest) + ": is not readable JSON of a manifest";
  } catch (const fs::filesystem_error& error) {
    return error.what();
  }
  return std::nullopt;
}

std::optional<RunCheckpoint> newest_good_checkpoint(const fs::path& run) {
  const std::vector<RunCheckpoint> checkpoints = list_checkpoints(run);
  for (auto checkpoint = checkpoints.rbegin(); checkpoint != checkpoints.rend(); ++checkpoint) {
    const auto damage = damage_of(checkpoint->folder);
    if (!damage) return *checkpoint;
    base::log_warning(base::concat(checkpoint->folder.string(), " is damaged and not used: ", *damage));
  }
  if (checkpoints.empty()) return std::nullopt;
  throw base::IoError(checkpoints_folder(run),
                      base::concat("all ", checkpoints.size(), " checkpoints are damaged; the newest: ",
                                   damage_of(checkpoints.back().folder).value_or("")));
}

RunCheckpoint require_good_checkpoint(const fs::path& run) {
  const auto checkpoint = newest_good_checkpoint(run);
  if (!checkpoint) throw base::IoError(run, "holds no checkpoint (RUN/checkpoints/step-XXXXXXXX)");
  return *checkpoint;
}

void rotate_checkpoints(const fs::path& run, int64_t keep) {
  const std::vector<RunCheckpoint> checkpoints = list_checkpoints(run);
  if (keep == 0) return;
  for (size_t i = 0; i + size_t(keep) < checkpoints.size(); ++i) delete_checkpoint(checkpoints[i].folder);
}

void set_aside_checkpoints_after(const fs::path& run, int64_t step) {
  for (const RunCheckpoint& checkpoint : list_checkpoints(run)) {
    if (checkpoint.step <= step) continue;
    const fs::path aside = checkpoint.folder.string() + ".damaged";
    std::error_code ignored;
    fs::remove_all(aside, ignored);
    fs::rename(checkpoint.folder, aside, ignored);
  }
}

void remove_leftovers(const fs::path& run) {
  std::error_code ignored;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(checkpoints_folder(run), ignored)) {
    const std::string name = entry.path().filename().string();
    const size_t dot = name.find('.');
    if (dot == std::string::npos || !step_of(name.substr(0, dot))) continue;
    const std::string rest = name.substr(dot);
    if (rest.starts_with(".tmp-") || rest.starts_with(".old-") || rest == ".removing")
      leftovers.push_back(entry.path());
  }
  for (const fs::path& leftover : leftovers) {
    const std::string name = leftover.filename().string();
    const size_t dot = name.find('.');
    const fs::path whole = leftover.parent_path() / name.substr(0, dot);
    // Killed between two renames (a file system that cannot exchange folders): the old checkpoint is the only one.
    if (name.substr(dot).starts_with(".old-") && !fs::exists(whole)) {
      fs::rename(leftover, whole, ignored);
    } else {
      fs::remove_all(leftover, ignored);
    }
  }
}

}  // namespace memlayers::model
