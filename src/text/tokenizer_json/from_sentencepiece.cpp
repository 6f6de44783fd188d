#include "text/tokenizer_json/from_sentencepiece.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <unordered_map>

#include "text/tokenizer_json/characters.h"

namespace memlayers::text {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSpace = "\xE2\x96\x81";
constexpr int kUnknown = 0, kBegin = 1, kEnd = 2;

Json special_token(const std::vector<Piece>& pieces, int id) {
  return {{"id", id},
          {"content", pieces[static_cast<size_t>(id)].text},
          {"single_word", false},
          {"lstrip", false},
          {"rstrip", false},
          {"normalized", false},
          {"special", true}};
}

/// Every pair of pieces whose text together is a piece: what makes the piece of the best score comes first, of one
/// piece's pairs the one with the lowest ids.
Json merges_of(const std::vector<Piece>& pieces) {
  std::unordered_map<std::string, int> ids;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].is_merged) ids.emplace(pieces[id].text, static_cast<int>(id));
  }
  struct Merge {
    float score;
    int id, left, right;
  };
  std::vector<Merge> merges;
  for (const auto& [text, id] : ids) {
    for (size_t cut = first_character(text).bytes; cut < text.size();
         cut += first_character(std::string_view(text).substr(cut)).bytes) {
      const auto left = ids.find(text.substr(0, cut)), right = ids.find(text.substr(cut));
      if (left != ids.end() && right != ids.end())
        merges.push_back({pieces[static_cast<size_t>(id)].score, id, left->second, right->second});
    }
  }
  std::sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    if (a.score != b.score) return a.score > b.score;
    return std::tie(a.id, a.left, a.right) < std::tie(b.id, b.left, b.right);
  });
  Json list = Json::array();
  for (const Merge& merge : merges)
    list.push_back({pieces[static_cast<size_t>(merge.left)].text, pieces[static_cast<size_t>(merge.right)].text});
  return list;
}

Json bpe_of(const std::vector<Piece>& pieces) {
  Json vocab = Json::object();
  for (size_t id = 0; id < pieces.size(); ++id) vocab[pieces[id].text] = id;
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", pieces[kUnknown].text},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", true},
          {"byte_fallback", true},
          {"ignore_merges", false},
          {"vocab", std::move(vocab)},
          {"merges", merges_of(pieces)}};
}

Json unigram_of(const std::vector<Piece>& pieces) {
  Json vocab = Json::array();
  for (const Piece& piece : pieces) vocab.push_back({piece.text, piece.score});
  return {{"type", "Unigram"}, {"unk_id", kUnknown}, {"vocab", std::move(vocab)}, {"byte_fallback", true}};
}

}  // namespace

std::string tokenizer_json_of(const std::vector<Piece>& pieces, bool unigram) {
  const std::string begin = pieces[kBegin].text;
  const Json space = {{"String", " "}}, mark = {{"String", kSpace}};
  const Json normalizers = {{{"type", "Prepend"}, {"prepend", kSpace}},
                            {{"type", "Replace"}, {"pattern", space}, {"content", kSpace}}};
  const Json decoders = {{{"type", "Replace"}, {"pattern", mark}, {"content", " "}},
                         {{"type", "ByteFallback"}},
                         {{"type", "Fuse"}},
                         {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}};
  const auto item = [](const char* kind, const std::string& id, int type) {
    Json one = Json::object();
    one[kind] = {{"id", id}, {"type_id", type}};
    return one;
  };
  const Json opening = item("SpecialToken", begin, 0);
  const auto text = [&](const char* id, int type) { return item("Sequence", id, type); };
  Json names = Json::object();
  names[begin] = {{"id", begin}, {"ids", Json::array({kBegin})}, {"tokens", Json::array({begin})}};
  const Json document = {{"version", "1.0"},
                         {"truncation", nullptr},
                         {"padding", nullptr},
                         {"added_tokens", Json::array({special_token(pieces, kUnknown), special_token(pieces, kBegin),
                                                       special_token(pieces, kEnd)})},
                         {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
                         {"pre_tokenizer", nullptr},
                         {"post_processor",
                          {{"type", "TemplateProcessing"},
                           {"single", Json::array({opening, text("A", 0)})},
                           {"pair", Json::array({opening, text("A", 0), text("B", 1)})},
                           {"special_tokens", names}}},
                         {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
                         {"model", unigram ? unigram_of(pieces) : bpe_of(pieces)}};
  return document.dump(1, ' ', false) + "\n";
}

}  // namespace memlayers::text
