#include "data/shards/token_shard.h"

#include <cstring>
#include <limits>

#include "base/error.h"
#include "data/shards/shard_format.h"

namespace memlayers::data {

using base::checked_add;
using base::checked_multiply;
using base::IoError;

struct TokenShard::State {
  std::string origin;  // path without extension, for messages
  std::optional<base::MappedFile> index_file, tokens_file;
  std::span<const std::byte> index, bytes;
  size_t token_bytes = 2;
  int64_t documents = 0, tokens = 0;
  size_t lengths_at = 0, pointers_at = 0;  // into index; unaligned, hence read by memcpy

  template <class T>
  T get(size_t at) const {
    T value;
    std::memcpy(&value, index.data() + at, sizeof(T));
    return value;
  }
  int32_t length(int64_t document) const { return get<int32_t>(lengths_at + document * sizeof(int32_t)); }
  int64_t pointer(int64_t document) const { return get<int64_t>(pointers_at + document * sizeof(int64_t)); }

  [[noreturn]] void fail_index(const std::string& reason) const { throw IoError(index_path(origin), reason); }
  void check_header();
  void check_documents(size_t documents_at);
};

void TokenShard::State::check_header() {
  if (index.size() < kShardHeaderBytes)
    fail_index(base::concat("truncated: ", index.size(), " bytes, the header alone has ", kShardHeaderBytes));
  if (std::memcmp(index.data(), kShardMagic.data(), kShardMagic.size()) != 0) fail_index("not a token shard's index");
  const auto version = get<uint64_t>(9);
  if (version != kShardVersion) fail_index(base::concat("version ", version, ", expected ", kShardVersion));
  const auto code = get<uint8_t>(17);
  if (code != kInt32Code && code != kUint16Code) {
    fail_index(base::concat("token type ", int{code}, ", expected 4 (int32) or 8 (uint16)"));
  }
  token_bytes = code == kInt32Code ? 4 : 2;
  const auto sequences = get<uint64_t>(18), ends = get<uint64_t>(26);
  if (ends == 0 || ends - 1 != sequences) {
    fail_index(base::concat(sequences, " sequences, but ", ends, " document ends; expected one sequence a document"));
  }
  // header + lengths + pointers + document indices must be the file, to the byte.
  const auto per_document = checked_multiply(sequences, sizeof(int32_t) + 2 * sizeof(int64_t));
  const auto expected = per_document ? checked_add(*per_document, kShardHeaderBytes + sizeof(int64_t)) : std::nullopt;
  if (!expected || *expected != index.size()) {
    fail_index(base::concat("damaged or truncated: ", index.size(), " bytes do not fit ", sequences, " documents"));
  }
  documents = static_cast<int64_t>(sequences);
  lengths_at = kShardHeaderBytes;
  pointers_at = lengths_at + sequences * sizeof(int32_t);
  check_documents(pointers_at + sequences * sizeof(int64_t));
}

void TokenShard::State::check_documents(size_t documents_at) {
  for (int64_t document = 0; document < documents; ++document) {
    const int32_t size = length(document);
    const int64_t begin = pointer(document);
    if (size < 0) fail_index(base::concat("document ", document, " has the length ", size));
    const uint64_t end = static_cast<uint64_t>(begin) + static_cast<uint64_t>(size) * token_bytes;
    if (begin < 0 || begin % static_cast<int64_t>(token_bytes) != 0 || end > bytes.size()) {
      fail_index(base::concat("document ", document, " points outside of the token file (", bytes.size(),
                              " bytes; truncated?)"));
    }
    if (get<int64_t>(documents_at + document * sizeof(int64_t)) != document) {
      fail_index(base::concat("document ", document, " has not one sequence"));
    }
    if (__builtin_add_overflow(tokens, int64_t{size}, &tokens)) fail_index("the sum of the lengths overflows");
  }
  if (get<int64_t>(documents_at + documents * sizeof(int64_t)) != documents)
    fail_index("the last document end is wrong");
}

TokenShard::TokenShard(std::unique_ptr<State> state) : state_(std::move(state)) { state_->check_header(); }

TokenShard::TokenShard(const std::filesystem::path& stem) : state_(std::make_unique<State>()) {
  state_->origin = stem.string();
  state_->index_file.emplace(index_path(stem));
  state_->tokens_file.emplace(tokens_path(stem));
  state_->index = state_->index_file->bytes();
  state_->bytes = state_->tokens_file->bytes();
  state_->check_header();
}

TokenShard TokenShard::from_bytes(std::span<const std::byte> index, std::span<const std::byte> tokens,
                                  const std::string& origin) {
  auto state = std::make_unique<State>();
  state->origin = origin;
  state->index = index;
  state->bytes = tokens;
  return TokenShard(std::move(state));
}

TokenShard::~TokenShard() = default;
TokenShard::TokenShard(TokenShard&&) noexcept = default;

int64_t TokenShard::documents() const { return state_->documents; }
int64_t TokenShard::tokens() const { return state_->tokens; }
uint64_t TokenShard::index_hash() const { return base::hash_bytes(state_->index.data(), state_->index.size()); }

int64_t TokenShard::document_length(int64_t document) const {
  base::check(document >= 0 && document < documents(), "TokenShard: document ", document, " of ", documents());
  return state_->length(document);
}

void TokenShard::read(int64_t document, int64_t begin, int64_t end, int32_t* out) const {
  const State& s = *state_;
  const int64_t length = document_length(document);
  base::check(0 <= begin && begin <= end && end <= length, "TokenShard: tokens [", begin, ", ", end,
              ") of a document of ", length);
  const std::byte* from = s.bytes.data() + s.pointer(document) + begin * static_cast<int64_t>(s.token_bytes);
  if (s.token_bytes == 4) {
    if (begin < end) std::memcpy(out, from, (end - begin) * sizeof(int32_t));
    return;
  }
  for (int64_t i = 0; i < end - begin; ++i) {
    uint16_t token;
    std::memcpy(&token, from + i * 2, sizeof(token));
    out[i] = token;
  }
}

std::vector<int32_t> TokenShard::read(int64_t document) const {
  std::vector<int32_t> tokens(document_length(document));
  read(document, 0, static_cast<int64_t>(tokens.size()), tokens.data());
  return tokens;
}

}  // namespace memlayers::data
