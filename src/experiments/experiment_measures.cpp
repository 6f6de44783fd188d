#include "experiments/experiment_measures.h"

#include "base/enum_names.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "data/shards/prepared_data.h"
#include "data/sources/biography_file.h"
#include "evaluation/capacity/capacity.h"
#include "evaluation/held_out_loss.h"
#include "model/checkpoint.h"
#include "training/trainer.h"

namespace memlayers::experiments {
namespace {

constexpr const char *kStoredBits = "stored_bits", *kValueBits = "value_bits", *kExtractableBits = "extractable_bits";
constexpr const char *kPerParameter = "bits_per_parameter_", *kPerByte = "bits_per_byte_",
                     *kTablePerParameter = "table_bits_per_parameter_";

std::string in_format(const char* kind, results::StoredFormat format) {
  return kind + std::string(base::enum_name(format));
}

results::Measure bits(const std::string& name, double value) { return {name, value, results::Better::kHigher}; }

double bits_per_parameter(const results::Capacity& capacity) {
  return capacity.stored.value / static_cast<double>(capacity.size.parameters);
}

void check_tokenizer(const ExperimentConfig& config, const std::filesystem::path& folder) {
  const auto hash = [](const std::filesystem::path& path) {
    return data::PreparedSplit(path, "train").tokenizer_hash();
  };
  const std::string& trained = config.run.data.sources[0].path;
  base::check(hash(folder) == hash(trained), folder.string(), ": was prepared with another tokenizer than ", trained,
              "; prepare one of them with the other's (kind: path)");
}

/// The bits of one run's model, its weights rounded to one format after another.
class CapacityMeasures {
 public:
  CapacityMeasures(const CapacityConfig& config, const training::TrainConfig& run)
      : config_(config),
        checkpoint_(training::newest_checkpoint(run.output)),
        biographies_(data::read_biographies(config.path)),
        tokenizer_(text::load_tokenizer(config.path)) {}

  /// False when interrupted.
  bool add_to(std::vector<results::Measure>& measures) const {
    bool tables = false;
    for (const results::StoredFormat format : config_.formats) {
      const std::optional<results::Capacity> capacity = with(format, format);
      if (!capacity) return false;
      tables = capacity->size.table_parameters > 0;
      if (format == config_.formats.front()) add_people(*capacity, measures);
      measures.push_back(bits(in_format(kPerParameter, format), bits_per_parameter(*capacity)));
      measures.push_back(
          bits(in_format(kPerByte, format), capacity->stored.value / static_cast<double>(capacity->size.bytes)));
    }
    for (const results::StoredFormat format : config_.formats) {
      if (!tables || format == results::StoredFormat::kFloat32) continue;
      const std::optional<results::Capacity> capacity = with(format, results::StoredFormat::kFloat32);
      if (!capacity) return false;
      measures.push_back(bits(in_format(kTablePerParameter, format), bits_per_parameter(*capacity)));
    }
    return true;
  }

 private:
  /// Of a fresh copy, since rounding is in place.
  std::optional<results::Capacity> with(results::StoredFormat tables, results::StoredFormat weights) const {
    const std::unique_ptr<model::Transformer> model = model::load_model(checkpoint_);
    const results::Capacity capacity =
        evaluation::measure_capacity(*model, *tokenizer_, biographies_, {config_.limit, tables, weights, {}});
    return base::interrupted() ? std::nullopt : std::optional(capacity);
  }

  static void add_people(const results::Capacity& capacity, std::vector<results::Measure>& measures) {
    const double people = static_cast<double>(capacity.people);
    measures.push_back(bits(kStoredBits, capacity.stored.value / people));
    measures.push_back(bits(kValueBits, capacity.values_stored.value / people));
    measures.push_back(bits(kExtractableBits, capacity.values_extractable.value / people));
  }

  const CapacityConfig& config_;
  std::filesystem::path checkpoint_;
  data::Biographies biographies_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
};

}  // namespace

std::vector<std::string> measure_names(const ExperimentConfig& config) {
  std::vector<std::string> names;
  for (const HeldOutLoss& loss : config.losses) names.push_back(loss.name);
  if (config.capacity.path.empty()) return names;
  names.insert(names.end(), {kStoredBits, kValueBits, kExtractableBits});
  for (const results::StoredFormat format : config.capacity.formats) {
    for (const char* kind : {kPerParameter, kPerByte, kTablePerParameter}) names.push_back(in_format(kind, format));
  }
  return names;
}

void check_measures(const ExperimentConfig& config) {
  base::check(!config.run.data.sources.empty(), "run.data.sources: expected at least one prepared folder");
  for (const HeldOutLoss& loss : config.losses) {
    evaluation::held_out_loader(config.run.data, loss.path);
    check_tokenizer(config, loss.path);
  }
  if (config.capacity.path.empty()) return;
  data::read_biographies(config.capacity.path);
  check_tokenizer(config, config.capacity.path);
}

std::optional<std::vector<results::Measure>> measure(const ExperimentConfig& config, model::Transformer& model,
                                                     const training::TrainConfig& run) {
  std::vector<results::Measure> measures;
  for (const HeldOutLoss& loss : config.losses) {
    const auto value = evaluation::held_out_loss(model, run.data, loss.path, loss.batches);
    if (!value) return std::nullopt;
    measures.push_back({loss.name, *value, results::Better::kLower});
  }
  if (!config.capacity.path.empty() && !CapacityMeasures(config.capacity, run).add_to(measures)) return std::nullopt;
  return measures;
}

}  // namespace memlayers::experiments
