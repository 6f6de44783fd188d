#include "model/companion_files.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace memlayers::model {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kUsualTopK = 50;  // of transformers, where a file samples and does not say

constexpr const char* kCompanions[] = {
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json",     "merges.txt",      "chat_template.jinja",   kGenerationConfigFile};

Json object_of(const fs::path& file) {
  // Nothing that is read here is nested deeper.
  constexpr int kMostLevels = 16;
  const auto within = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMostLevels) throw base::IoError(file, "is nested too deeply");
    return true;
  };
  try {
    Json json = Json::parse(base::read_text(file), within);
    if (!json.is_object()) throw base::IoError(file, "is not an object");
    return json;
  } catch (const Json::exception& error) {
    throw base::IoError(file, base::concat("is not valid JSON: ", error.what()));
  }
}

/// A number or a list of them under "eos_token_id".
std::vector<int64_t> ends_of(const Json& json, const fs::path& file) {
  std::vector<int64_t> ends;
  const auto field = json.find("eos_token_id");
  if (field == json.end() || field->is_null()) return ends;
  const Json list = field->is_array() ? *field : Json::array({*field});
  for (const Json& id : list) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0) throw base::IoError(file, "eos_token_id is no token id");
    ends.push_back(id.get<int64_t>());
  }
  return ends;
}

double number_of(const Json& json, const char* key, double otherwise, double least, double most, const fs::path& file) {
  const auto field = json.find(key);
  if (field == json.end() || field->is_null()) return otherwise;
  const double value = field->is_number() ? field->get<double>() : std::nan("");
  if (!(value >= least && value <= most)) throw base::IoError(file, base::concat(key, " is out of range"));
  return value;
}

}  // namespace

void copy_companions(const fs::path& from, const fs::path& to) {
  for (const char* name : kCompanions) {
    if (fs::is_regular_file(from / name)) base::write_text_atomically(to / name, base::read_text(from / name));
  }
}

GenerationDefaults generation_defaults(const fs::path& folder) {
  GenerationDefaults defaults;
  const fs::path file = folder / kGenerationConfigFile, config = folder / "config.json";
  if (fs::exists(file)) {
    const Json json = object_of(file);
    defaults.eos = ends_of(json, file);
    const auto samples = json.find("do_sample");
    const bool sampled = samples != json.end() && samples->is_boolean() && samples->get<bool>();
    defaults.temperature = sampled ? number_of(json, "temperature", 1, 0, 1e6, file) : 0;
    if (sampled) defaults.top_p = number_of(json, "top_p", 1, 1e-6, 1, file);
    if (sampled) defaults.top_k = static_cast<int64_t>(number_of(json, "top_k", kUsualTopK, 0, 1e9, file));
  }
  if (defaults.eos.empty() && fs::exists(config)) {
    const Json json = object_of(config);
    const auto field = json.find("eos_token_id");
    if (field != json.end() && field->is_array()) defaults.eos = ends_of(json, config);
  }
  return defaults;
}

void write_generation_config(const fs::path& folder, int64_t bos, const std::vector<int64_t>& eos) {
  if (fs::exists(folder / kGenerationConfigFile)) return;
  Json json = {{"_from_model_config", true}, {"bos_token_id", bos}};
  if (eos.size() == 1) json["eos_token_id"] = eos[0];
  if (eos.size() > 1) json["eos_token_id"] = eos;
  base::write_text_atomically(folder / kGenerationConfigFile, json.dump(2) + "\n");
}

}  // namespace memlayers::model
