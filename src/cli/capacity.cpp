// memlayers capacity: how many bits of biographies a trained model holds.
#include "evaluation/capacity/capacity.h"
#include "base/enum_names.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/trained_config.h"
#include "data/shards/prepared_data.h"
#include "generation/loaded_model.h"
#include "report/capacity/capacity_text.h"
#include "text/tokenizer_files.h"

namespace memlayers::cli {
namespace {

namespace fs = std::filesystem;
using results::StoredFormat;

/// The data of the run, of which exactly one folder must hold biographies.
fs::path data_of_run(const fs::path& model) {
  const auto config = trained_config(model);
  base::check(config.has_value(), model.string(),
              ": does not say what data it was trained on (no state.json); name a prepared folder with --data FOLDER");
  std::vector<std::string> found;
  for (const data::SourceConfig& source : config->data.sources) {
    base::check(fs::exists(source.path), source.path, ": the run's data is not there, seen from ",
                fs::current_path().string(), "; name it with --data FOLDER");
    if (fs::exists(fs::path(source.path) / data::kBiographiesFile)) found.push_back(source.path);
  }
  if (found.empty()) return config->data.sources.front().path;  // reading it says why there are none
  base::check(found.size() == 1, model.string(), ": was trained on several folders with biographies (", found.front(),
              ", ", found.back(), "); name one with --data FOLDER");
  return found.front();
}

void check_tokenizer(const fs::path& data, const text::Tokenizer& tokenizer) {
  base::check(data::PreparedSplit(data, "train").tokenizer_hash() == text::tokenizer_hash(tokenizer), data.string(),
              ": was prepared with another tokenizer than the model's; name the data that it was trained on");
}

}  // namespace

int run_capacity(int argc, char** argv) {
  CLI::App app(
      "Counts the bits of synthetic biographies that a trained model holds: a lower bound from the losses of names "
      "and\n"
      "attribute values, by attribute, in trained wordings (stored) and in wordings never read (extractable), and for\n"
      "each parameter and each byte of the model, as it is or with its weights rounded to fewer bits.",
      "memlayers capacity");
  std::string model, data, table_format = "float32", weight_format = "float32";
  evaluation::CapacityOptions options;
  bool json = false;
  app.add_option("MODEL", model, "the output folder of a run (its newest checkpoint), or a model folder")->required();
  app.add_option("--data", data, "the prepared folder with the biographies; default: what the run was trained on")
      ->type_name("FOLDER");
  app.add_option("--table-dtype", table_format, "round the memory tables to this: float32, bfloat16, int8 or int4")
      ->capture_default_str()
      ->check(CLI::IsMember(base::enum_choices<StoredFormat>()));
  app.add_option("--weight-dtype", weight_format, "the same for every other matrix, of experts and embedding too")
      ->capture_default_str()
      ->check(CLI::IsMember(base::enum_choices<StoredFormat>()));
  app.add_option("--limit", options.limit, "score so many people, drawn always the same; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--json", json, "print one JSON object instead of tables");
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  const generation::LoadedModel loaded = generation::load_named_model(model);
  options.tables = base::enum_named<StoredFormat>(table_format).value();
  options.weights = base::enum_named<StoredFormat>(weight_format).value();
  base::check(app.count("--table-dtype") == 0 || !loaded.model->tables().empty(), loaded.folder.string(),
              ": --table-dtype has no effect on a model without memory layers; --weight-dtype rounds its matrices");
  const fs::path folder = data.empty() ? data_of_run(loaded.folder) : fs::path(data);
  const data::Biographies biographies = data::read_biographies(folder);
  check_tokenizer(folder, *loaded.tokenizer);
  options.progress_title = "score";
  const auto capacity = evaluation::measure_capacity(*loaded.model, *loaded.tokenizer, biographies, options);
  if (capacity.measured == 0) {
    std::cerr << "interrupted before anyone was scored" << std::endl;
    return 0;
  }
  const std::string name = loaded.folder.string();
  std::cout << (json ? report::capacity_json(capacity, name) + "\n" : report::capacity_text(capacity, name))
            << std::flush;
  return 0;
}

}  // namespace memlayers::cli
