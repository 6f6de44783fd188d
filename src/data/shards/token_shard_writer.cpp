#include <limits>

#include "base/error.h"
#include "data/shards/shard_format.h"
#include "data/shards/token_shard.h"

namespace memlayers::data {

namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

template <class T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

}  // namespace

struct TokenShardWriter::State {
  State(const std::filesystem::path& shard_stem, int64_t size)
      : stem(shard_stem), vocab_size(size), file(tokens_path(shard_stem)), wide(size > 65536) {}

  std::filesystem::path stem;
  int64_t vocab_size;
  base::AtomicFile file;
  bool wide;
  std::string buffer;
  std::vector<int32_t> lengths;
  int64_t current = 0, tokens = 0;  // of the open document; of the finished ones
};

TokenShardWriter::TokenShardWriter(const std::filesystem::path& stem, int64_t vocab_size) {
  base::check(vocab_size > 0, "TokenShardWriter: expected a vocabulary of at least 1, got ", vocab_size);
  state_ = std::make_unique<State>(stem, vocab_size);
}
TokenShardWriter::~TokenShardWriter() = default;

int64_t TokenShardWriter::documents() const { return static_cast<int64_t>(state_->lengths.size()); }
int64_t TokenShardWriter::tokens() const { return state_->tokens; }

void TokenShardWriter::append(std::span<const int32_t> tokens) {
  State& s = *state_;
  for (const int32_t id : tokens) {
    base::check(id >= 0 && id < s.vocab_size, "TokenShardWriter: token id ", id, " is outside [0, ", s.vocab_size, ")");
    if (s.wide) {
      put(s.buffer, id);
    } else {
      put(s.buffer, static_cast<uint16_t>(id));
    }
  }
  s.current += static_cast<int64_t>(tokens.size());
  base::check(s.current <= std::numeric_limits<int32_t>::max(),
              "TokenShardWriter: a document of more than 2^31 - 1 tokens (", s.stem.string(), "); split it");
  if (s.buffer.size() >= kBufferBytes) {
    s.file.write(s.buffer);
    s.buffer.clear();
  }
}

void TokenShardWriter::end_document() {
  State& s = *state_;
  if (s.current == 0) return;
  s.lengths.push_back(static_cast<int32_t>(s.current));
  s.tokens += s.current;
  s.current = 0;
}

void TokenShardWriter::add_document(std::span<const int32_t> tokens) {
  append(tokens);
  end_document();
}

void TokenShardWriter::finish() {
  State& s = *state_;
  end_document();
  s.file.write(s.buffer);
  s.file.commit();  // before the index: whoever sees an index finds its tokens
  const uint64_t count = s.lengths.size();
  std::string index(kShardMagic.data(), kShardMagic.size());
  put(index, kShardVersion);
  put(index, s.wide ? kInt32Code : kUint16Code);
  put(index, count);
  put(index, count + 1);
  for (const int32_t length : s.lengths) put(index, length);
  int64_t pointer = 0;
  for (const int32_t length : s.lengths) {
    put(index, pointer);
    pointer += int64_t{length} * (s.wide ? 4 : 2);
  }
  for (int64_t document = 0; document <= static_cast<int64_t>(count); ++document) put(index, document);
  base::write_text_atomically(index_path(s.stem), index);
}

}  // namespace memlayers::data
