// Text to token ids and back: bytes, a SentencePiece model, or a Hugging Face tokenizer.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace memlayers::text {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids of the text alone, without begin or end of document. Text is UTF-8; decode(encode(text)) == text.
  virtual std::vector<int32_t> encode(const std::string& text) const = 0;
  /// Ids of a text that goes on from another (SentencePiece puts a space before the first word; here it does not), so
  /// that a long document can be encoded in parts.
  virtual std::vector<int32_t> encode_continuation(const std::string& text) const { return encode(text); }
  /// Special ids decode to nothing. Never throws on ids in [0, vocab_size).
  virtual std::string decode(const std::vector<int32_t>& ids) const = 0;
  virtual int32_t vocab_size() const = 0;
  /// What stands for one id, as the vocabulary writes it ("\u2581of", "<0x41>"). Empty for ids that are none.
  virtual std::string piece(int32_t id) const = 0;
  virtual int32_t bos() const = 0;  // begins a document; -1: a tokenizer.json has none
  virtual int32_t eos() const = 0;  // ends a document; -1 likewise
  /// What is put before a text that a model is asked to continue.
  virtual std::vector<int32_t> before_text() const { return {bos()}; }
  virtual std::string kind() const = 0;  // "bytes", "sentencepiece" or "tokenizer.json"
  /// Bytes that two tokenizers share when they give equal ids for every text.
  virtual std::string identity() const { return kind(); }
  /// Writes the tokenizer's files into a folder: tokenizer_config.json, and tokenizer.model or tokenizer.json (both
  /// where this program trained it, the latter for Hugging Face's library).
  virtual void save(const std::filesystem::path& folder) const = 0;
};

/// 256 byte tokens; ids 0 unk/pad, 1 bos, 2 eos, then 3 + byte.
std::shared_ptr<const Tokenizer> byte_tokenizer();
/// Loads what save() wrote, a Hugging Face folder's tokenizer.json, or a bare SentencePiece tokenizer.model, from a
/// folder or a file. Where a folder of another program has both of the latter, the tokenizer.json counts, which a line
/// of the log says.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& path);
/// Trains a SentencePiece model (unigram or bpe, byte fallback, deterministic) on lines of text.
std::shared_ptr<const Tokenizer> train_sentencepiece(const std::vector<std::string>& lines, int32_t vocab_size,
                                                     const std::string& model_type = "bpe");

}  // namespace memlayers::text
