// A SentencePiece model that this program trained, as a tokenizer.json, so that Hugging Face's library reads it.
#pragma once

#include <string>
#include <vector>

namespace memlayers::text {

struct Piece {
  std::string text;
  float score = 0;
  bool is_merged = false;  // neither special nor a byte: what merges make, or the likeliest pieces are
};

/// `pieces` by id: 0 unknown, 1 begin, 2 end of document, then 256 bytes and the rest; `unigram`: scores are
/// log-probabilities, else ranks. The ids of a text are the model's, but for texts that hold U+2581, which stands for a
/// space there, or the name of a special token, which becomes that token.
std::string tokenizer_json_of(const std::vector<Piece>& pieces, bool unigram);

}  // namespace memlayers::text
