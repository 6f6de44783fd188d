// Checkpoints of a run: folders RUN/checkpoints/step-XXXXXXXX that appear whole or not at all.
//
//   config.json, model*.safetensors, tokenizer files   the model, as any model folder: `generate` and `eval` read it
//   training_state.safetensors                         moments of the optimizer, row states, usage counters
//   state.json                                         step, tokens, loader state, resolved configuration
//   manifest.json                                      size and xxHash64 of every other file; written last
//
// A checkpoint is good when its manifest is there and every file in it has that size and hash.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace memlayers::model {

struct RunCheckpoint {
  std::filesystem::path folder;
  int64_t step = 0;
};

/// All checkpoint folders of a run, good or not, oldest first.
std::vector<RunCheckpoint> list_checkpoints(const std::filesystem::path& run);

/// Writes RUN/checkpoints/step-XXXXXXXX atomically: `fill` writes the files, the manifest is added. Throws IoError;
/// what was there before stays.
std::filesystem::path write_checkpoint(const std::filesystem::path& run, int64_t step,
                                       const std::function<void(const std::filesystem::path&)>& fill);

/// Why a checkpoint is not good ("model.safetensors: its bytes are not those that were saved"); nothing when it is
/// good.
std::optional<std::string> damage_of(const std::filesystem::path& checkpoint);

/// The newest good checkpoint; each damaged one on the way is reported as a warning with its reason. Nothing when there
/// is no checkpoint folder at all. Throws IoError when there are some and all are damaged.
std::optional<RunCheckpoint> newest_good_checkpoint(const std::filesystem::path& run);

/// The same, but throws IoError where there is no checkpoint folder either.
RunCheckpoint require_good_checkpoint(const std::filesystem::path& run);

/// Deletes all but the `keep` newest (0: keeps all).
void rotate_checkpoints(const std::filesystem::path& run, int64_t keep);

/// Renames checkpoints after `step` to NAME.damaged, so that they neither count in the rotation nor are found again.
void set_aside_checkpoints_after(const std::filesystem::path& run, int64_t step);

/// Removes what a killed process left half written or half deleted.
void remove_leftovers(const std::filesystem::path& run);

}  // namespace memlayers::model
