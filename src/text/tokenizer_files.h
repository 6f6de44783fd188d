// What a tokenizer looks like on disk, and the loading of one kind of it.
#pragma once

#include <string>

#include "text/tokenizer.h"

namespace memlayers::text {

inline constexpr const char* kTokenizerConfigFile = "tokenizer_config.json";
inline constexpr const char* kTokenizerModelFile = "tokenizer.model";
inline constexpr const char* kTokenizerJsonFile = "tokenizer.json";

/// A SentencePiece model file. Throws IoError (not such a file, no begin or end of document in it). `json` is the same
/// tokenizer as a tokenizer.json, which is only kept and saved; empty: there is none.
std::shared_ptr<const Tokenizer> load_sentencepiece(const std::filesystem::path& file, std::string json = {});

/// Hash that two tokenizers share when they give equal ids for every text (16 hexadecimal digits).
std::string tokenizer_hash(const Tokenizer& tokenizer);

}  // namespace memlayers::text
