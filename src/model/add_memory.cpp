#include "model/add_memory.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cassert>
#include <map>

#include "base/error.h"
#include "model/checkpoint.h"

namespace memlayers::model {
namespace {

/// Of a feed-forward that a memory layer takes the place of.
bool is_replaced(const std::string& name, const ModelConfig& config) {
  if (config.memory.placement != layers::MemoryPlacement::kReplace) return false;
  return std::ranges::any_of(config.memory.layers, [&](int64_t layer) {
    return name.starts_with(base::concat("model.layers.", layer, ".mlp."));
  });
}

bool is_memory(const std::string& name) {
  return name.find(".memory.") != std::string::npos || name.starts_with("model.memory_tables.");
}

}  // namespace

std::unique_ptr<Transformer> with_memory(const std::filesystem::path& folder, const std::vector<std::string>& settings,
                                         uint64_t seed) {
  const std::filesystem::path file = folder / "config.json";
  base::check(load_model_config(file).memory.layers.empty(), folder.string(), ": this model has memory layers already");
  std::vector<std::string> overrides = {"memory.placement=beside"};
  for (const std::string& setting : settings) overrides.push_back("memory." + setting);
  const ModelConfig config = load_model_config(file, overrides);
  base::check(!config.memory.layers.empty(), "--add-memory: say which blocks get a memory layer, as layers=3,11,19");
  const std::unique_ptr<Transformer> base = load_model(folder);  // every check of the folder's files
  auto model = std::make_unique<Transformer>(config, seed);
  const at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> given;
  for (const auto& [name, tensor] : weights_of(*base)) given.emplace(name, tensor);
  for (const auto& [name, tensor] : weights_of(*model)) {
    const auto found = given.find(name);
    if (found == given.end()) {
      assert(is_memory(name));
      continue;
    }
    tensor.copy_(found->second);
    given.erase(found);
  }
  for (const auto& [name, tensor] : given)
    base::check(is_replaced(name, config), folder.string(), ": tensor ", name,
                " has no place beside the memory layers");
  return model;
}

}  // namespace memlayers::model
