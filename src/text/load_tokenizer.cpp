#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "text/tokenizer_files.h"

namespace memlayers::text {

namespace fs = std::filesystem;
using base::IoError;

std::shared_ptr<const Tokenizer> load_tokenizer(const fs::path& path) {
  if (!fs::exists(path)) throw IoError(path, "there is no tokenizer here");
  if (!fs::is_directory(path) && path.extension() != ".json") return load_sentencepiece(path);
  const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  if (fs::exists(folder / kTokenizerModelFile)) return load_sentencepiece(folder / kTokenizerModelFile);
  const fs::path file = folder / kTokenizerConfigFile;
  if (!fs::exists(file)) {
    throw IoError(
        folder, base::concat("holds no tokenizer (neither ", kTokenizerModelFile, " nor ", kTokenizerConfigFile, ")"));
  }
  const auto config = nlohmann::json::parse(base::read_text(file), nullptr, false);
  if (config.is_discarded() || !config.is_object()) throw IoError(file, "not valid JSON");
  const auto kind = config.find("kind");
  if (kind != config.end() && *kind == "bytes") return byte_tokenizer();
  throw IoError(file, base::concat("describes a tokenizer of another kind; expected \"kind\": \"bytes\", or a ",
                                   kTokenizerModelFile, " (SentencePiece) beside it"));
}

}  // namespace memlayers::text
