// A prepared data folder small enough for a test: byte tokenizer, one shard a split, written through
// data/token_shard.h.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "data/shards/prepared_data.h"
#include "data/shards/token_shard.h"
#include "support/temporary_folder.h"
#include "text/tokenizer.h"
#include "text/tokenizer_files.h"

namespace memlayers::tests {

/// Sentences "N plus M is K." for some N and M; another `variant` has other sentences.
inline void write_tiny_split(const std::filesystem::path& folder, const std::string& split, int documents,
                             int variant) {
  const auto tokenizer = text::byte_tokenizer();
  data::TokenShardWriter writer(folder / data::shard_name(split, 0), tokenizer->vocab_size());
  std::vector<int32_t> ids;
  for (int i = 0; i < documents; ++i) {
    const int left = (i * 7 + variant) % 50, right = (i * 13) % 40;
    std::vector<int32_t> document = {tokenizer->bos()};
    const std::string text =
        std::to_string(left) + " plus " + std::to_string(right) + " is " + std::to_string(left + right) + ".";
    for (int32_t id : tokenizer->encode(text)) document.push_back(id);
    document.push_back(tokenizer->eos());
    writer.add_document(document);
  }
  writer.finish();
}

/// Fills `folder` as `memlayers prepare` would.
inline void write_tiny_data(const std::filesystem::path& folder, int variant = 0) {
  std::filesystem::create_directories(folder);
  const auto tokenizer = text::byte_tokenizer();
  tokenizer->save(folder);
  write_tiny_split(folder, "train", 200, variant);
  write_tiny_split(folder, "validation", 20, variant + 1);
  const nlohmann::json prepare = {
      {"format", data::kPrepareFormat},
      {"tokenizer",
       {{"kind", "bytes"}, {"vocab_size", tokenizer->vocab_size()}, {"hash", text::tokenizer_hash(*tokenizer)}}},
      {"train", {{"shards", 1}}},
      {"validation", {{"shards", 1}}}};
  base::write_text_atomically(folder / data::kPrepareFile, prepare.dump());
}

}  // namespace memlayers::tests
