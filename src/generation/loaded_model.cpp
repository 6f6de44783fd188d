#include "generation/loaded_model.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "model/checkpoint.h"
#include "model/run_checkpoint.h"

namespace memlayers::generation {
namespace {

namespace fs = std::filesystem;

/// The runs of a comparison under `path`: VARIANT/seed-N.
std::vector<std::string> runs_of_comparison(const fs::path& path) {
  std::vector<std::string> runs;
  for (const fs::directory_entry& variant : fs::directory_iterator(path)) {
    if (!variant.is_directory()) continue;
    for (const fs::directory_entry& seed : fs::directory_iterator(variant.path())) {
      if (fs::is_directory(seed.path() / "checkpoints")) runs.push_back(seed.path().string());
    }
  }
  std::sort(runs.begin(), runs.end());
  return runs;
}

}  // namespace

fs::path model_folder(const fs::path& path) {
  base::check(fs::exists(path), path.string(),
              ": there is no such folder; name a checkpoint or the output folder of a run");
  base::check(fs::is_directory(path), path.string(),
              ": is a file; name the folder that holds config.json and the weights");
  if (fs::exists(path / "config.json")) return path;
  if (fs::is_directory(path / "checkpoints")) return model::require_good_checkpoint(path).folder;
  const std::vector<std::string> runs = runs_of_comparison(path);
  base::check(runs.empty(), path.string(), ": is a comparison; name one of its runs, such as ",
              runs.empty() ? "" : runs[0]);
  throw base::UsageError(base::concat(path.string(), ": is neither a model (config.json) nor a run (checkpoints/)"));
}

LoadedModel load_named_model(const fs::path& path, model::ComputeDtype dtype) {
  LoadedModel loaded;
  loaded.folder = model_folder(path);
  loaded.tokenizer = text::load_tokenizer(loaded.folder);
  loaded.model = model::load_model(loaded.folder);
  base::check(loaded.model->config().vocab_size >= loaded.tokenizer->vocab_size(), loaded.folder.string(),
              ": the tokenizer has ", loaded.tokenizer->vocab_size(), " tokens, the model ",
              loaded.model->config().vocab_size);
  loaded.model->set_compute_dtype(model::resolved_dtype(dtype));
  return loaded;
}

}  // namespace memlayers::generation
