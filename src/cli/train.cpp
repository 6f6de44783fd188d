// memlayers train: one training run from a configuration file.
#include "base/log.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "training/trainer.h"

namespace memlayers::cli {
namespace {

struct TrainCommand {
  std::string config_file, data_folder;
  std::vector<std::string> overrides;
  bool resume = false, overwrite = false;
};

training::TrainConfig configuration(const TrainCommand& command) {
  auto config = base::load_config<training::TrainConfig>(command.config_file, command.overrides);
  if (!command.data_folder.empty()) config.data.sources = {{command.data_folder, 1.0}};
  base::check(
      !config.data.sources.empty(), command.config_file,
      ": data.sources is empty: name a folder written by `memlayers prepare` with --data FOLDER or under data.sources");
  return config;
}

std::string resume_command(const TrainCommand& command) {
  std::string text = "memlayers train --config " + command.config_file + " --resume";
  if (!command.data_folder.empty()) text += " --data " + command.data_folder;
  for (const std::string& item : command.overrides) text += " '" + item + "'";
  return text;
}

}  // namespace

int run_train(int argc, char** argv) {
  CLI::App app(
      "Trains a model as a configuration says: checkpoints, metrics.jsonl and TensorBoard files go to the folder "
      "`output`.\n"
      "Ctrl-C saves a checkpoint and stops; --resume continues from it, bit for bit as if nothing had happened.",
      "memlayers train");
  TrainCommand command;
  app.add_option("--config", command.config_file, "YAML or JSON file with the keys below")->required();
  app.add_option("--data", command.data_folder,
                 "folder written by `memlayers prepare`; takes the place of data.sources");
  app.add_flag("--resume", command.resume, "continue from the newest good checkpoint in `output`, if there is one");
  app.add_flag("--overwrite", command.overwrite, "delete what an earlier run left in `output`")->excludes("--resume");
  app.add_option("KEY=VALUE", command.overrides,
                 "configuration keys that override the file, e.g. steps=200 model.hidden_size=64");
  app.footer("configuration keys and defaults:\n" + base::config_help<training::TrainConfig>());
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  const training::TrainConfig config = configuration(command);
  training::TrainOptions options;
  options.resume = command.resume;
  options.overwrite = command.overwrite;
  const training::TrainEnd end = training::train(config, options);
  const std::string checkpoint = training::newest_checkpoint(config.output).string();
  if (end == training::TrainEnd::kInterrupted) {
    std::cout << "interrupted; saved " << checkpoint << "\ncontinue with: " << resume_command(command) << std::endl;
  } else {
    std::cout << "trained model: " << checkpoint << "\nnext: memlayers generate " << config.output
              << " \"Once upon a time\"" << std::endl;
  }
  return 0;
}

}  // namespace memlayers::cli
