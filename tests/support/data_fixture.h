// What the tests of data share: packed files, shards of given documents, prepared folders read back as text.
#pragma once

#include <zlib.h>
#include <zstd.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include "base/error.h"
#include "data/prepare.h"
#include "support/error_of.h"
#include "support/tiny_data.h"

namespace memlayers::data {

namespace fs = std::filesystem;
using tests::contains;
using tests::error_of;
using tests::TemporaryFolder;

inline void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string packed(text.size() + 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

inline std::string zstd(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

/// A prepared folder (byte vocabulary of 259) whose train split holds exactly these documents, in shards of
/// `per_shard`.
inline void write_documents(const fs::path& folder, const std::vector<std::vector<int32_t>>& documents,
                            size_t per_shard = 1000, const std::string& tokenizer = "bytes") {
  fs::create_directories(folder);
  int64_t shards = 0;
  for (size_t begin = 0; begin < documents.size(); begin += per_shard) {
    TokenShardWriter writer(folder / shard_name("train", shards++), 259);
    for (size_t i = begin; i < std::min(documents.size(), begin + per_shard); ++i) writer.add_document(documents[i]);
    writer.finish();
  }
  const nlohmann::json prepare = {{"format", kPrepareFormat},
                                  {"tokenizer", {{"kind", "bytes"}, {"vocab_size", 259}, {"hash", tokenizer}}},
                                  {"train", {{"shards", shards}}},
                                  {"validation", {{"shards", 0}}}};
  write_file(folder / kPrepareFile, prepare.dump());
}

/// The documents of a split as text.
inline std::vector<std::string> read_documents(const fs::path& folder, const std::string& split) {
  const auto tokenizer = text::load_tokenizer(folder);
  const PreparedSplit data(folder, split);
  std::vector<std::string> documents;
  for (int64_t i = 0; i < data.documents(); ++i) {
    std::vector<int32_t> ids(data.document_length(i));
    data.read(i, 0, static_cast<int64_t>(ids.size()), ids.data());
    EXPECT_EQ(ids.front(), tokenizer->bos());
    EXPECT_EQ(ids.back(), tokenizer->eos());
    documents.push_back(tokenizer->decode(ids));
  }
  return documents;
}

inline std::string joined(const std::vector<std::string>& documents) {
  std::string text;
  for (const std::string& document : documents) text += document + "\n";
  return text;
}

inline PrepareConfig prepare_config(const fs::path& output, std::vector<PrepareSource> sources) {
  PrepareConfig config;
  config.output = output.string();
  config.tokenizer.kind = TokenizerKind::kBytes;
  config.sources = std::move(sources);
  return config;
}

inline PrepareSource source_of(SourceKind kind, const fs::path& path = {}) {
  PrepareSource source;
  source.kind = kind;
  source.path = path.string();
  return source;
}

/// A file of ../shared/data, or an empty path where that is absent.
inline fs::path shared_file(const std::string& name) {
  const char* folder = std::getenv("MEMLAYERS_SHARED_DIR");
  const fs::path file = (folder ? fs::path(folder) : fs::path(MEMLAYERS_SOURCE_DIR) / "../shared") / "data" / name;
  return fs::exists(file) ? file : fs::path();
}

}  // namespace memlayers::data
