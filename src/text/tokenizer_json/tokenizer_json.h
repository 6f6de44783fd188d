// A Hugging Face tokenizer.json with a BPE model: added tokens, normalizer, pre-tokenizer, model, template, decoder.
//
// The ids are those of the `tokenizers` library. A part that is not known is refused by its name, never guessed.
#pragma once

#include <filesystem>
#include <map>
#include <vector>

#include "text/tokenizer.h"
#include "text/tokenizer_json/added_tokens.h"
#include "text/tokenizer_json/bpe.h"
#include "text/tokenizer_json/decoder.h"
#include "text/tokenizer_json/normalizer.h"
#include "text/tokenizer_json/pre_tokenizer.h"
#include "text/tokenizer_json/template.h"

namespace memlayers::text {

class TokenizerJson : public Tokenizer {
 public:
  /// `content` is a tokenizer.json; `beside` are texts of files beside it by name, of which tokenizer_config.json says
  /// what begins and ends a document. Throws FormatError.
  explicit TokenizerJson(std::string content, std::map<std::string, std::string> beside = {});
  TokenizerJson(const TokenizerJson&) = delete;
  TokenizerJson& operator=(const TokenizerJson&) = delete;

  /// Special tokens' names in the text become their ids. Invalid UTF-8 is repaired first.
  std::vector<int32_t> encode(const std::string& text) const override;
  std::vector<int32_t> encode_continuation(const std::string& text) const override;
  std::string decode(const std::vector<int32_t>& ids) const override { return decode(ids, /*with_special=*/false); }
  /// Ids outside of the vocabulary are left out.
  std::string decode(const std::vector<int32_t>& ids, bool with_special) const;
  std::string piece(int32_t id) const override;
  int32_t vocab_size() const override { return size_; }
  /// As tokenizer_config.json says, else the first id that the template puts before a text, else eos(); -1: there is
  /// none.
  int32_t bos() const override { return bos_; }
  int32_t eos() const override { return eos_; }
  std::vector<int32_t> before_text() const override;
  /// What the template puts after a text.
  const std::vector<int32_t>& after_text() const { return template_.after; }
  std::string kind() const override { return "tokenizer.json"; }
  std::string identity() const override { return content_; }
  void save(const std::filesystem::path& folder) const override;

 private:
  std::vector<int32_t> encode_text(const std::string& text, bool continued) const;
  void check_ids() const;
  void read_document_ends();
  int32_t id_of(const std::string& token) const;

  std::string content_;
  std::map<std::string, std::string> beside_;
  Json config_;  // tokenizer_config.json, or an empty object
  Normalizer normalizer_;
  AddedTokens added_;  // after the normalizer, which it keeps
  PreTokenizer pre_tokenizer_;
  std::unique_ptr<Bpe> model_;
  Template template_;
  Decoder decoder_;
  int32_t size_ = 0, bos_ = -1, eos_ = -1;
};

/// Of a folder's file, with what lies beside it. Throws IoError.
std::shared_ptr<const Tokenizer> load_tokenizer_json(const std::filesystem::path& file);

}  // namespace memlayers::text
