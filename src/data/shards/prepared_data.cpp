#include "data/shards/prepared_data.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"

namespace memlayers::data {

namespace fs = std::filesystem;
using base::IoError;
using nlohmann::ordered_json;

std::string shard_name(const std::string& split, int64_t shard) {
  std::array<char, 24> number;
  std::snprintf(number.data(), number.size(), "-%05lld", static_cast<long long>(shard));
  return split + number.data();
}

ordered_json read_prepare_file(const fs::path& folder) {
  const fs::path file = folder / kPrepareFile;
  if (!fs::exists(file)) {
    throw IoError(folder, fs::exists(folder) ? "was not written by `memlayers prepare` (there is no prepare.json)"
                                             : "there is no such folder; write it with `memlayers prepare`");
  }
  ordered_json json = ordered_json::parse(base::read_text(file), nullptr, false);
  if (json.is_discarded() || !json.is_object()) throw IoError(file, "not valid JSON");
  if (json.value("format", ordered_json()) != kPrepareFormat) {
    throw IoError(file, base::concat("is not of format ", kPrepareFormat, "; prepare the data again"));
  }
  return json;
}

PreparedSplit::PreparedSplit(const fs::path& folder, const std::string& split) : folder_(folder), split_(split) {
  const ordered_json json = read_prepare_file(folder);
  int64_t count = 0;
  try {
    vocab_size_ = json.at("tokenizer").at("vocab_size").get<int64_t>();
    tokenizer_hash_ = json.at("tokenizer").at("hash").get<std::string>();
    count = json.at(split).at("shards").get<int64_t>();
  } catch (const nlohmann::json::exception& error) {
    throw IoError(folder / kPrepareFile, std::string("damaged: ") + error.what());
  }
  if (count <= 0) {
    throw IoError(folder, "has no " + split +
                              " shards: prepare it with a larger validation_share, or with more documents "
                              "than one (text: documents=paragraphs)");
  }
  hash_ = base::hash_bytes(tokenizer_hash_.data(), tokenizer_hash_.size());
  for (int64_t shard = 0; shard < count; ++shard) {
    shards_.emplace_back(folder / shard_name(split, shard));
    first_.push_back(first_.back() + shards_.back().documents());
    tokens_ += shards_.back().tokens();
    const uint64_t index_hash = shards_.back().index_hash();
    hash_ = base::hash_bytes(&index_hash, sizeof(index_hash), hash_);
  }
  if (tokens_ == 0) throw IoError(folder, "the " + split + " shards hold no tokens");
}

size_t PreparedSplit::shard_of(int64_t document) const {
  return std::upper_bound(first_.begin(), first_.end(), document) - first_.begin() - 1;
}

int64_t PreparedSplit::document_length(int64_t document) const {
  const size_t shard = shard_of(document);
  return shards_[shard].document_length(document - first_[shard]);
}

void PreparedSplit::read(int64_t document, int64_t begin, int64_t end, int32_t* out) const {
  const size_t shard = shard_of(document);
  shards_[shard].read(document - first_[shard], begin, end, out);
  for (int64_t i = 0; i < end - begin; ++i) {
    if (out[i] >= 0 && out[i] < vocab_size_) continue;
    throw IoError(folder_ / (shard_name(split_, shard) + ".bin"),
                  base::concat("document ", document - first_[shard], " holds the token id ", out[i],
                               ", but the vocabulary has ", vocab_size_));
  }
}

}  // namespace memlayers::data
