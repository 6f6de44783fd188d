// What lies beside the weights in a model's folder and is carried along as it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace memlayers::model {

inline constexpr const char* kGenerationConfigFile = "generation_config.json";

/// Copies the tokenizer's files, chat template and generation_config.json from one folder to another, those that there
/// are. Throws IoError.
void copy_companions(const std::filesystem::path& from, const std::filesystem::path& to);

/// How a folder's author wants texts to be continued: generation_config.json.
struct GenerationDefaults {
  std::vector<int64_t> eos;  // any of them ends a text; empty: not said
  std::optional<double> temperature, top_p;
  std::optional<int64_t> top_k;
};

/// Of a model's folder: generation_config.json, the ends of text else of config.json. Where it samples (do_sample),
/// what it leaves out is what it means in Hugging Face's library: temperature 1, top_k 50, top_p 1; where it does not,
/// the temperature is 0. Nothing where there is no such file. Throws IoError: a file that is damaged or out of range.
GenerationDefaults generation_defaults(const std::filesystem::path& folder);

/// Writes generation_config.json for a folder that has none.
void write_generation_config(const std::filesystem::path& folder, int64_t bos, const std::vector<int64_t>& eos);

}  // namespace memlayers::model
