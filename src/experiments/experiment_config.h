// An experiment as a file: the data, the runs, the seeds, and the criteria, all written before it runs.
#pragma once

#include "data/prepare_config.h"
#include "experiments/compare_config.h"
#include "results/capacity.h"
#include "results/experiment_spec.h"

namespace memlayers::experiments {

/// A file that the experiment cannot do without, and where a stranger finds it.
struct RequiredFile {
  std::string path, from, license, hash;
  static constexpr auto fields() {
    using base::field;
    using C = RequiredFile;
    return std::tuple{field("path", &C::path, "the file"),
                      field("from", &C::from, "where to fetch it from and how, said when it is not there"),
                      field("license", &C::license, "under which license, said with it"),
                      field("hash", &C::hash, "of its lines, 16 digits, as a refusal prints it; empty: not looked at")};
  }
};

struct ExperimentData {
  data::PrepareConfig prepare;
  bool optional = false;
  static constexpr auto fields() {
    using base::field;
    using C = ExperimentData;
    return std::tuple{field("prepare", &C::prepare, "as a file of `memlayers prepare`"),
                      field("optional", &C::optional, "without its input files, leave these data out and go on")};
  }
};

/// Mean cross-entropy over the held-out part of prepared data.
struct HeldOutLoss {
  std::string name, path;
  int64_t batches = 32;
  static constexpr auto fields() {
    using base::field;
    using C = HeldOutLoss;
    return std::tuple{field("name", &C::name, "name of the metric; it must contain the word loss"),
                      field("path", &C::path, "prepared folder whose validation split is read"),
                      field("batches", &C::batches, "batches of the run's size")};
  }
};

/// results::Bits of the biographies in prepared data (docs/capacity.md).
struct CapacityConfig {
  std::string path;
  int64_t limit = 0;
  std::vector<results::StoredFormat> formats = {results::StoredFormat::kFloat32};
  static constexpr auto fields() {
    using base::field;
    using C = CapacityConfig;
    return std::tuple{field("path", &C::path, "prepared folder with biographies; empty: bits are not measured"),
                      field("limit", &C::limit, "score so many people, always the same; 0: all"),
                      field("formats", &C::formats, "weights as stored: float32, bfloat16, int8, int4")};
  }
};

struct ScaleConfig {
  std::string name;
  std::vector<std::string> set;
  static constexpr auto fields() {
    using base::field;
    using C = ScaleConfig;
    return std::tuple{field("name", &C::name, "name to give with scale="),
                      field("set", &C::set, "changes to the file, each a string key=value")};
  }
};

/// The keys of a comparison, and:
struct ExperimentConfig : CompareConfig {
  std::string paper, scale;
  std::vector<ScaleConfig> scales;
  std::vector<RequiredFile> requires_files;
  std::vector<std::string> beside;
  std::vector<ExperimentData> prepared;
  std::vector<HeldOutLoss> losses;
  CapacityConfig capacity;
  std::vector<std::string> metrics = {"recall", "nats"};
  std::vector<results::CriterionSpec> criteria;
  std::vector<results::FigureSpec> figures;
  std::vector<results::PublishedTable> published;

  static constexpr auto fields() {
    using base::field;
    using C = ExperimentConfig;
    return std::tuple_cat(
        CompareConfig::fields(),
        std::tuple{
            field("paper", &C::paper, "what of the paper this stands beside: \"Table 1 and Figure 4\""),
            field("scale", &C::scale, "one of scales; empty: the file as it is"),
            field("scales", &C::scales, "named sizes of the whole experiment"),
            field("requires", &C::requires_files, "files without which the experiment is skipped, and says so"),
            field("beside", &C::beside,
                  "output folders of other experiments; figures draw their variants as FOLDER/VARIANT, when measured"),
            field("prepared", &C::prepared, "data to prepare where they are not there yet"),
            field("losses", &C::losses, "losses on held-out documents, measured in the end"),
            field("capacity", &C::capacity, "bits of knowledge, measured in the end"),
            field("metrics", &C::metrics, "columns of the table of variants"),
            field("criteria", &C::criteria, "what is claimed, and what decides"),
            field("figures", &C::figures, "charts of a metric over the variants"),
            field("published", &C::published, "the paper's numbers, shown beside ours"),
        });
  }
  /// Throws UsageError: what CompareConfig refuses, no criteria, a variant or scale that does not exist, a figure whose
  /// series do not fit its groups, a criterion that nothing could meet.
  void validate();
};

/// What figures call the experiment whose output folder this is: the folder's name.
std::string beside_name(const std::filesystem::path& folder);

struct ExperimentPlan {
  std::string name;  // the file's, without folder and extension
  ExperimentConfig config;
  ComparePlan compare;
};

/// Reads `path` with the changes of its scale and then `overrides`. Throws UsageError, IoError.
ExperimentPlan load_experiment_plan(const std::filesystem::path& path, const std::vector<std::string>& overrides = {});

}  // namespace memlayers::experiments
