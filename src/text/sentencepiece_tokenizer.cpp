#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "text/tokenizer_files.h"
#include "text/tokenizer_json/from_sentencepiece.h"

// Both libsentencepiece (an object of 32 bytes) and torch's libc10 (an int) export a variable of this name. The dynamic
// linker gives both the one it finds first; were it the int, SentencePiece's constructor would overwrite what lies
// behind it, among it torch's switch that makes an allocation that fails abort the program. A program's own symbols are
// found first, so here is room enough. torch does not use its one.
extern "C" {
alignas(16) extern char FLAGS_minloglevel[64];
alignas(16) char FLAGS_minloglevel[64] = {};
}

namespace memlayers::text {
namespace {

namespace fs = std::filesystem;
using sentencepiece::SentencePieceProcessor;
using sentencepiece::SentencePieceTrainer;

// SentencePiece writes a space as this character and turns it back on decoding, so one in the text would be lost.
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// Longest line the trainer takes (it skips longer ones), and the length pieces of such lines are cut to.
constexpr size_t kMaxTrainingLine = 4096;

class SentencePieceTokenizer : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string model, const std::string& origin, std::string json = {})
      : model_(std::move(model)), json_(std::move(json)) {
    const auto status = processor_.LoadFromSerializedProto(model_);
    if (!status.ok()) throw base::IoError(origin, std::string("not a SentencePiece model: ") + status.error_message());
    if (bos() < 0 || eos() < 0) throw base::IoError(origin, "this SentencePiece model has no begin or end of document");
    for (int byte = 0; byte < 256; ++byte) {
      std::array<char, 8> piece;
      std::snprintf(piece.data(), piece.size(), "<0x%02X>", byte);
      const int id = processor_.PieceToId(piece.data());
      byte_ids_[byte] = processor_.IsByte(id) ? id : -1;
      has_bytes_ = has_bytes_ && byte_ids_[byte] >= 0;
    }
  }

  std::vector<int32_t> encode(const std::string& text) const override {
    if (text.find(kSpaceMark) == std::string::npos || !has_bytes_) return processor_.EncodeAsIds(text);
    return encode_with_stand_in(text, false);
  }

  std::vector<int32_t> encode_continuation(const std::string& text) const override {
    if (text.empty() || !has_bytes_) return encode(text);
    return encode_with_stand_in(text, true);
  }

  std::string decode(const std::vector<int32_t>& ids) const override {
    std::vector<int> kept;
    for (const int32_t id : ids) {
      if (id >= 0 && id < vocab_size() && !processor_.IsControl(id)) kept.push_back(id);
    }
    return processor_.DecodeIds(kept);
  }

  int32_t vocab_size() const override { return processor_.GetPieceSize(); }
  int32_t bos() const override { return processor_.bos_id(); }
  int32_t eos() const override { return processor_.eos_id(); }
  std::string kind() const override { return "sentencepiece"; }

  void save(const fs::path& folder) const override {
    base::write_text_atomically(folder / kTokenizerModelFile, model_);
    if (!json_.empty()) base::write_text_atomically(folder / kTokenizerJsonFile, json_);
    // The class name and the token names are what Hugging Face's loader looks for beside a tokenizer.model.
    const nlohmann::ordered_json config = {{"kind", "sentencepiece"},
                                           {"tokenizer_class", "LlamaTokenizer"},
                                           {"vocab_size", vocab_size()},
                                           {"bos_token", processor_.IdToPiece(bos())},
                                           {"eos_token", processor_.IdToPiece(eos())},
                                           {"unk_token", processor_.IdToPiece(processor_.unk_id())},
                                           {"bos_token_id", bos()},
                                           {"eos_token_id", eos()},
                                           {"add_bos_token", true},
                                           {"add_eos_token", false},
                                           {"legacy", true},
                                           {"clean_up_tokenization_spaces", false}};
    base::write_text_atomically(folder / kTokenizerConfigFile, config.dump(2) + "\n");
  }

  std::string piece(int32_t id) const override {
    return id >= 0 && id < vocab_size() ? processor_.IdToPiece(id) : std::string();
  }
  std::string identity() const override { return model_; }

 private:
  // A noncharacter that the text does not have (nor any vocabulary), so that it always becomes four byte tokens.
  static std::string stand_in_for(const std::string& text) {
    for (int code = 0x1FFFE; code <= 0x10FFFF; code += code % 2 == 0 ? 1 : 0xFFFF) {
      const std::string candidate = {static_cast<char>(0xF0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
                                     static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
      if (text.find(candidate) == std::string::npos) return candidate;
    }
    throw base::UsageError("SentencePiece: a text that holds all 32 noncharacters beyond U+FFFF cannot be encoded");
  }

  // Encodes the text with a stand-in for every space mark, whose byte tokens are then replaced by the mark's own. A
  // continuation gets one in front, which takes the space that SentencePiece puts before a text, and is cut off.
  std::vector<int32_t> encode_with_stand_in(const std::string& text, bool continuation) const {
    const std::string stand_in = stand_in_for(text);
    std::string replaced = continuation ? stand_in : "";
    for (size_t begin = 0; begin < text.size();) {
      const size_t mark = text.find(kSpaceMark, begin);
      replaced.append(text, begin, mark - begin);
      if (mark == std::string::npos) break;
      replaced += stand_in;
      begin = mark + kSpaceMark.size();
    }
    std::array<int32_t, 4> run;
    for (size_t i = 0; i < run.size(); ++i) run[i] = byte_ids_[static_cast<unsigned char>(stand_in[i])];
    const std::vector<int32_t> ids = processor_.EncodeAsIds(replaced);
    auto position = ids.begin();
    const auto first = std::search(position, ids.end(), run.begin(), run.end());
    // A vocabulary or a normalization of another program may know the noncharacter after all.
    if (first == ids.end()) return processor_.EncodeAsIds(text);
    if (continuation) position = first + run.size();
    std::vector<int32_t> result;
    while (position != ids.end()) {
      const auto found = std::search(position, ids.end(), run.begin(), run.end());
      result.insert(result.end(), position, found);
      if (found == ids.end()) break;
      for (const unsigned char byte : kSpaceMark) result.push_back(byte_ids_[byte]);
      position = found + run.size();
    }
    return result;
  }

  std::string model_, json_;  // the latter for other programs
  SentencePieceProcessor processor_;
  std::array<int32_t, 256> byte_ids_;
  bool has_bytes_ = true;  // all 256
};

class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const std::vector<std::string>& lines) : lines_(lines) { skip_empty(); }
  bool done() const override { return position_ >= lines_.size(); }
  void Next() override {
    ++position_;
    skip_empty();
  }
  const std::string& value() const override { return lines_[position_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  void skip_empty() {
    while (position_ < lines_.size() && (lines_[position_].empty() || lines_[position_].size() > kMaxTrainingLine))
      ++position_;
  }
  const std::vector<std::string>& lines_;
  size_t position_ = 0;
};

std::unordered_map<std::string, std::string> trainer_options(int32_t vocab_size, const std::string& model_type) {
  return {{"vocab_size", std::to_string(vocab_size)},
          {"model_type", model_type},
          {"hard_vocab_limit", "false"},  // too little text for so many pieces: fewer, and said so below
          {"byte_fallback", "true"},
          {"split_digits", "true"},
          {"normalization_rule_name", "identity"},
          {"remove_extra_whitespaces", "false"},
          {"allow_whitespace_only_pieces", "true"},
          {"max_sentence_length", std::to_string(kMaxTrainingLine)},
          {"unk_id", "0"},
          {"bos_id", "1"},
          {"eos_id", "2"},
          {"pad_id", "-1"},
          {"num_threads", "1"},  // sums over threads would round differently on another machine
          {"minloglevel", "4"}};
}

/// A model trained with trainer_options().
std::string json_of(const std::string& model, bool unigram) {
  SentencePieceProcessor processor;
  const auto status = processor.LoadFromSerializedProto(model);
  base::check(status.ok(), "tokenizer: ", status.error_message());
  std::vector<Piece> pieces;
  for (int id = 0; id < processor.GetPieceSize(); ++id) {
    const bool special = processor.IsControl(id) || processor.IsUnknown(id) || processor.IsByte(id);
    pieces.push_back({processor.IdToPiece(id), processor.GetScore(id), !special});
  }
  return tokenizer_json_of(pieces, unigram);
}

}  // namespace

std::shared_ptr<const Tokenizer> load_sentencepiece(const fs::path& file, std::string json) {
  return std::make_shared<SentencePieceTokenizer>(base::read_text(file), file.string(), std::move(json));
}

std::shared_ptr<const Tokenizer> train_sentencepiece(const std::vector<std::string>& lines, int32_t vocab_size,
                                                     const std::string& model_type) {
  base::check(model_type == "bpe" || model_type == "unigram", "tokenizer.model_type: expected bpe or unigram, got \"",
              model_type, "\"");
  constexpr int32_t kLeast = 3 + 256 + 1;  // the special ids, one piece a byte, and the space
  base::check(vocab_size > kLeast, "tokenizer.vocab_size: expected more than ", kLeast,
              " (3 special ids, 256 bytes), got ", vocab_size, "; use kind: bytes for a vocabulary of 259");
  Lines iterator(lines);
  base::check(!iterator.done(), "tokenizer: there is no text to train it on");
  std::string model;
  const auto status = SentencePieceTrainer::Train(trainer_options(vocab_size, model_type), &iterator, &model);
  base::check(status.ok(), "tokenizer: SentencePiece cannot train ", vocab_size, " pieces (", model_type, ") on ",
              lines.size(), " lines: ", status.error_message(), "; change tokenizer.vocab_size or use kind: bytes");
  std::string json = json_of(model, model_type == "unigram");
  auto tokenizer = std::make_shared<SentencePieceTokenizer>(std::move(model), "trained tokenizer", std::move(json));
  if (tokenizer->vocab_size() < vocab_size) {
    base::log_warning(base::concat("tokenizer: the text gives only ", tokenizer->vocab_size(), " pieces of the ",
                                   vocab_size, " asked for; the vocabulary is that large"));
  }
  return tokenizer;
}

}  // namespace memlayers::text
