// A tokenizer.json from anywhere: it is refused in one line, or it encodes any text to ids of its vocabulary and
// decodes any ids to valid UTF-8.
//
// The input is the file, then a text after a byte 1 (which JSON may not hold).
#include <cstdlib>
#include <iostream>

#include "base/utf8.h"
#include "text/tokenizer_json/tokenizer_json.h"

namespace {

void require(bool condition, const std::string& what) {
  if (condition) return;
  std::cerr << "violated: " << what << "\n";
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace memlayers;
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\x01'), size);
  const std::string text = end < size ? input.substr(end + 1) : "a text, of 12 words or so";
  try {
    const text::TokenizerJson tokenizer(input.substr(0, end));
    std::vector<int32_t> ids = tokenizer.encode(text);
    for (const int32_t id : ids) require(id >= 0 && id < tokenizer.vocab_size(), "an id is in the vocabulary");
    ids.insert(ids.end(), {-1, 0, 1, tokenizer.vocab_size() - 1, tokenizer.vocab_size()});
    require(base::is_utf8(tokenizer.decode(ids, true)), "what is decoded is UTF-8");
    tokenizer.encode_continuation(text);
  } catch (const base::Error& error) {
    require(std::string(error.what()).size() < 2000, "a message is short");
  }
  return 0;
}
