// memlayers import and export: model folders from and for Hugging Face's library.
#include <ATen/ATen.h>

#include <array>

#include "base/enum_names.h"
#include "base/file.h"
#include "base/log.h"
#include "base/output.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "generation/loaded_model.h"
#include "model/add_memory.h"
#include "model/checkpoint.h"
#include "model/companion_files.h"
#include "text/tokenizer.h"

namespace memlayers::cli {
namespace {

enum class StoredDtype { kStored, kFloat32, kBFloat16, kFloat16 };
constexpr auto enum_names(StoredDtype) {
  return std::array{std::pair{StoredDtype::kStored, "stored"}, std::pair{StoredDtype::kFloat32, "float32"},
                    std::pair{StoredDtype::kBFloat16, "bfloat16"}, std::pair{StoredDtype::kFloat16, "float16"}};
}

struct FolderCommand {
  std::string from, to, dtype = "stored";
  double max_shard_gigabytes = 5;
  std::vector<std::string> memory;
  uint64_t seed = 1;
};

/// The widest dtype of a folder's weights, so that nothing is lost and nothing doubled.
at::ScalarType widest(const std::filesystem::path& folder) {
  bool half = false, brain = false;
  const model::WeightFiles files(folder);
  for (const auto& [name, view] : files.tensors()) {
    const at::ScalarType dtype = model::tensor_dtype(view.dtype);
    if (dtype != at::kHalf && dtype != at::kBFloat16) return at::kFloat;
    (dtype == at::kHalf ? half : brain) = true;
  }
  return half && brain ? at::kFloat : half ? at::kHalf : at::kBFloat16;
}

at::ScalarType dtype_of(const FolderCommand& command, const std::filesystem::path& from) {
  switch (base::enum_named<StoredDtype>(command.dtype).value()) {
    case StoredDtype::kFloat32:
      return at::kFloat;
    case StoredDtype::kBFloat16:
      return at::kBFloat16;
    case StoredDtype::kFloat16:
      return at::kHalf;
    default:
      return widest(from);
  }
}

void add_options(CLI::App& app, FolderCommand& command) {
  app.add_option("--dtype", command.dtype, "store weights in this; stored: the widest that the folder holds")
      ->capture_default_str()
      ->check(CLI::IsMember(base::enum_choices<StoredDtype>()));
  app.add_option("--max-shard-size", command.max_shard_gigabytes,
                 "gigabytes of a file; more weights are split into several, a larger tensor gets a file of its own")
      ->capture_default_str()
      ->check(CLI::Range(1e-6, 1e6));
}

/// Writes all of it into a sibling first: a folder is there as a whole or not at all.
void write_folder(const FolderCommand& command, const model::Transformer& model, const std::filesystem::path& from) {
  const auto shard = static_cast<uint64_t>(command.max_shard_gigabytes * 1e9);
  base::write_folder_atomically(command.to, [&](const std::filesystem::path& folder) {
    model::save_model(model, folder, shard, dtype_of(command, from));
    model::copy_companions(from, folder);
    const std::vector<int64_t> ends = model::generation_defaults(from).eos;
    const model::ModelConfig& config = model.config();
    model::write_generation_config(folder, config.bos_token_id, ends.empty() ? std::vector{config.eos_token_id} : ends);
  });
}

void check_target(const FolderCommand& command) {
  const base::OutputFolder output = base::check_output_folder(command.to);
  base::check(!output.exists || base::is_empty_output(output.path), command.to,
              ": is not empty; name a folder that is not there yet");
}

/// A model can do without one, until it is asked for texts; one that is there must fit.
void check_tokenizer(const std::filesystem::path& folder, int64_t vocab_size) {
  const auto is_there = [&](const char* name) { return std::filesystem::exists(folder / name); };
  if (!is_there("tokenizer.json") && !is_there("tokenizer.model") && !is_there("tokenizer_config.json")) {
    base::log_warning(folder.string() +
                      " holds no tokenizer, so the model can be trained and asked only with one put "
                      "beside it (tokenizer.json or tokenizer.model)");
    return;
  }
  const int32_t tokens = text::load_tokenizer(folder)->vocab_size();
  base::check(vocab_size >= tokens, folder.string(), ": the tokenizer has ", tokens, " tokens, the model ", vocab_size);
}

std::string described(const model::Transformer& model) {
  int64_t dense = 0, tables = 0;
  for (const layers::Parameter& parameter : model.parameters()) dense += parameter.tensor->numel();
  for (const auto& [name, table] : model.tables()) tables += table->rows() * table->value_dim();
  std::string text = base::concat(model.config().num_hidden_layers, " blocks, ",
                                  base::human_count(static_cast<double>(dense)), " parameters");
  if (tables > 0) text += base::concat(" and ", base::human_count(static_cast<double>(tables)), " in tables");
  return text;
}

}  // namespace

int run_import(int argc, char** argv) {
  CLI::App app(
      "Reads a Hugging Face folder of the Llama family (Llama, Mistral without a window, Qwen2, Qwen3) and writes a "
      "model\n"
      "folder that train, generate and eval take. What is not supported is refused by its name. With --add-memory the\n"
      "model gets memory layers: beside its feed-forwards, where its outputs stay the same bits until it is trained, "
      "or\n"
      "in place of them (placement=replace), where they start from nothing.",
      "memlayers import");
  FolderCommand command;
  app.add_option("FOLDER", command.from, "config.json, model*.safetensors, tokenizer files")->required();
  app.add_option("OUT", command.to, "the folder to write")->required();
  app.add_option(
         "--add-memory", command.memory,
         "keys of the memory section (memlayers plan --help): layers=3,11,19 num_sub_keys=1024 placement=beside")
      ->type_name("KEY=VALUE ...")
      ->expected(1, 64);
  app.add_option("--seed", command.seed, "of what --add-memory makes new")->capture_default_str();
  add_options(app, command);
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  check_target(command);
  const std::filesystem::path from = generation::model_folder(command.from);
  std::unique_ptr<model::Transformer> model =
      command.memory.empty() ? model::load_model(from) : model::with_memory(from, command.memory, command.seed);
  check_tokenizer(from, model->config().vocab_size);
  const auto& memory = model->config().memory;
  if (!command.memory.empty() && memory.placement == layers::MemoryPlacement::kReplace) {
    base::log_warning(
        "the memory layers take the place of feed-forwards and start from nothing: until it is trained the "
        "model is worse than it was");
  }
  write_folder(command, *model, from);
  std::cout << command.to << ": " << described(*model) << std::endl;
  return 0;
}

int run_export(int argc, char** argv) {
  CLI::App app(
      "Writes a trained model as a Hugging Face folder: config.json in both spellings, model*.safetensors, tokenizer\n"
      "files, generation_config.json. A dense model loads in transformers as it is.",
      "memlayers export");
  FolderCommand command;
  app.add_option("MODEL", command.from, "a checkpoint, or the output folder of a run (its newest checkpoint)")
      ->required();
  app.add_option("OUT", command.to, "the folder to write")->required();
  add_options(app, command);
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  check_target(command);
  const std::filesystem::path from = generation::model_folder(command.from);
  const std::unique_ptr<model::Transformer> model = model::load_model(from);
  write_folder(command, *model, from);
  std::cout << command.to << ": " << described(*model) << std::endl;
  if (model->config().model_type == "memlayers") {
    base::log_warning("transformers knows no layers of this kind, so it cannot load this folder; memlayers import can");
  }
  return 0;
}

}  // namespace memlayers::cli
