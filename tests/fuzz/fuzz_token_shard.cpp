// Any bytes as a token shard: refused with an IoError, or every document can be read.
//
// Byte 0 chooses: even, the rest is an index file of 16-bit length and then the token file; odd, a valid shard is made
// from document lengths in the input and then damaged by (offset, value) patches, which get past the first checks.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <vector>

#include "base/error.h"
#include "data/shards/shard_format.h"
#include "data/shards/token_shard.h"

namespace {

using Bytes = std::vector<uint8_t>;

/// Takes bytes from the input, zeros behind its end.
struct Input {
  const uint8_t* data;
  size_t size;
  uint8_t byte() { return size == 0 ? 0 : (--size, *data++); }
  uint16_t word() {
    const uint16_t low = byte();
    return static_cast<uint16_t>(low | byte() << 8);
  }
  Bytes rest(size_t most) {
    const size_t taken = std::min(most, size);
    Bytes bytes(data, data + taken);
    data += taken;
    size -= taken;
    return bytes;
  }
};

template <class T>
void append(Bytes& bytes, T value) {
  const auto* begin = reinterpret_cast<const uint8_t*>(&value);
  bytes.insert(bytes.end(), begin, begin + sizeof value);
}

void make_shard(Input& input, Bytes& index, Bytes& tokens) {
  using namespace memlayers::data;
  const bool wide = input.byte() & 1;
  const uint64_t documents = input.byte() % 8;
  index.assign(kShardMagic.begin(), kShardMagic.end());
  append<uint64_t>(index, kShardVersion);
  append<uint8_t>(index, wide ? kInt32Code : kUint16Code);
  append<uint64_t>(index, documents);
  append<uint64_t>(index, documents + 1);
  std::vector<int64_t> pointers;
  int64_t end = 0;
  for (uint64_t i = 0; i < documents; ++i) {
    const int32_t length = input.byte() % 16;
    append<int32_t>(index, length);
    pointers.push_back(end);
    end += length * (wide ? 4 : 2);
  }
  for (const int64_t pointer : pointers) append<int64_t>(index, pointer);
  for (uint64_t i = 0; i <= documents; ++i) append<int64_t>(index, static_cast<int64_t>(i));
  tokens.assign(static_cast<size_t>(end), 7);
  while (input.size > 0) {
    const size_t at = input.byte();
    index[at % index.size()] = input.byte();
  }
}

void require(bool condition, const char* what) {
  if (condition) return;
  std::cerr << "violated: " << what << "\n";
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace memlayers;
  Input input{data, size};
  Bytes index, tokens;
  if (input.byte() % 2 == 0) {
    index = input.rest(input.word());
    tokens = input.rest(input.size);
  } else {
    make_shard(input, index, tokens);
  }
  try {
    const auto shard =
        data::TokenShard::from_bytes(std::as_bytes(std::span(index)), std::as_bytes(std::span(tokens)), "input");
    int64_t total = 0;
    for (int64_t document = 0; document < shard.documents(); ++document) {
      const int64_t length = shard.document_length(document);
      require(static_cast<int64_t>(shard.read(document).size()) == length, "a document has its length");
      if (length > 0) {
        int32_t last = 0;
        shard.read(document, length - 1, length, &last);
      }
      total += length;
    }
    require(total == shard.tokens(), "the lengths add up to the tokens");
  } catch (const base::IoError& error) {
    require(std::string(error.what()).find('\n') == std::string::npos, "a message is one line");
  }
  return 0;
}
