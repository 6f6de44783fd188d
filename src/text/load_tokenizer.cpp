#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "text/tokenizer_files.h"
#include "text/tokenizer_json/tokenizer_json.h"

namespace memlayers::text {

namespace fs = std::filesystem;
using base::IoError;

namespace {

/// tokenizer_config.json as an object; null where there is none.
nlohmann::json config_of(const fs::path& folder) {
  const fs::path file = folder / kTokenizerConfigFile;
  if (!fs::exists(file)) return nullptr;
  nlohmann::json config = nlohmann::json::parse(base::read_text(file), nullptr, false);
  if (config.is_discarded() || !config.is_object()) throw IoError(file, "not valid JSON");
  return config;
}

/// "bytes" or "sentencepiece" in a folder that this program wrote; else empty.
std::string own_kind(const nlohmann::json& config) {
  if (!config.is_object() || !config.contains("kind") || !config["kind"].is_string()) return {};
  return config["kind"].get<std::string>();
}

}  // namespace

std::shared_ptr<const Tokenizer> load_tokenizer(const fs::path& path) {
  if (!fs::exists(path)) throw IoError(path, "there is no tokenizer here");
  if (!fs::is_directory(path) && path.extension() != ".json") return load_sentencepiece(path);
  if (!fs::is_directory(path) && path.filename() != kTokenizerConfigFile) return load_tokenizer_json(path);
  const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  const fs::path model = folder / kTokenizerModelFile, json = folder / kTokenizerJsonFile;
  const nlohmann::json config = config_of(folder);
  const std::string own = own_kind(config);
  if (own == "bytes" && !fs::exists(model)) return byte_tokenizer();
  if (fs::exists(json) && own != "sentencepiece") {
    if (fs::exists(model))
      base::log_info(base::concat(json.string(), " is used, and not the ", kTokenizerModelFile, " beside it"));
    return load_tokenizer_json(json);
  }
  if (fs::exists(model)) return load_sentencepiece(model, fs::exists(json) ? base::read_text(json) : std::string());
  if (config.is_null()) {
    throw IoError(folder, base::concat("holds no tokenizer (neither ", kTokenizerJsonFile, ", ", kTokenizerModelFile,
                                       " nor ", kTokenizerConfigFile, ")"));
  }
  throw IoError(folder / kTokenizerConfigFile,
                base::concat("describes a tokenizer of another kind; expected \"kind\": \"bytes\", or a ",
                             kTokenizerJsonFile, " or ", kTokenizerModelFile, " (SentencePiece) beside it"));
}

std::string tokenizer_hash(const Tokenizer& tokenizer) {
  const std::string identity = tokenizer.identity();
  return base::hash_text(base::hash_bytes(identity.data(), identity.size()));
}

}  // namespace memlayers::text
