#include "text/tokenizer_json/tokenizer_json.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/error_of.h"
#include "support/interchange.h"
#include "support/temporary_folder.h"
#include "text/tokenizer_files.h"

namespace memlayers::text {
namespace {

namespace fs = std::filesystem;
using tests::contains;
using tests::error_of;
using Ids = std::vector<int32_t>;

std::string from_base64(const std::string& text) {
  static const std::string kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t buffer = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    buffer = buffer << 6 | static_cast<uint32_t>(kDigits.find(c));
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(buffer >> bits & 0xFF);
  }
  return bytes;
}

Ids with_template(const TokenizerJson& tokenizer, const std::string& text) {
  Ids ids = tokenizer.before_text();
  const Ids own = tokenizer.encode(text);
  ids.insert(ids.end(), own.begin(), own.end());
  ids.insert(ids.end(), tokenizer.after_text().begin(), tokenizer.after_text().end());
  return ids;
}

/// Either of two texts that versions of the library give.
bool is_one_of(const std::string& text, const nlohmann::json& item, const std::string& key) {
  return text == item[key] || (item.contains(key + "_0_20_3") && text == item[key + "_0_20_3"]);
}

std::shared_ptr<const TokenizerJson> load(const fs::path& folder) {
  return std::dynamic_pointer_cast<const TokenizerJson>(load_tokenizer_json(folder / kTokenizerJsonFile));
}

class Variants : public testing::TestWithParam<fs::path> {
 protected:
  std::shared_ptr<const TokenizerJson> tokenizer_ = load(GetParam());
};

TEST_P(Variants, GiveTheLibrarysIdsAndTexts) {
  for (const auto& item : tests::json_lines(GetParam() / "cases.jsonl")) {
    const auto text = item["text"].get<std::string>();
    ASSERT_EQ(tokenizer_->encode(text), item["ids_no_special"].get<Ids>()) << item.dump();
    const auto ids = item["ids"].get<Ids>();
    ASSERT_EQ(with_template(*tokenizer_, text), ids) << item.dump();
    ASSERT_TRUE(is_one_of(tokenizer_->decode(ids, true), item, "decoded")) << item.dump() << "\n"
                                                                           << tokenizer_->decode(ids, true);
    ASSERT_TRUE(is_one_of(tokenizer_->decode(ids, false), item, "decoded_skip_special"))
        << item.dump() << "\n"
        << tokenizer_->decode(ids, false);
  }
}

TEST_P(Variants, DecodeAnyIds) {
  for (const auto& item : tests::json_lines(GetParam() / "decode_cases.jsonl")) {
    const auto ids = item["ids"].get<Ids>();
    EXPECT_TRUE(is_one_of(tokenizer_->decode(ids, true), item, "decoded")) << item.dump() << "\n"
                                                                           << tokenizer_->decode(ids, true);
    EXPECT_TRUE(is_one_of(tokenizer_->decode(ids, false), item, "decoded_skip_special"))
        << item.dump() << "\n"
        << tokenizer_->decode(ids, false);
  }
}

TEST_P(Variants, RepairWhatIsNotUtf8) {
  for (const auto& item : tests::json_lines(GetParam() / "invalid.jsonl")) {
    EXPECT_EQ(tokenizer_->encode(from_base64(item["base64"])), item["ids_of_replacement_text_no_special"].get<Ids>())
        << item.dump();
  }
}

TEST_P(Variants, AreSavedAsTheyAre) {
  const tests::TemporaryFolder folder;
  tokenizer_->save(folder.path());
  EXPECT_EQ(base::read_text(folder.path() / kTokenizerJsonFile), base::read_text(GetParam() / kTokenizerJsonFile));
  const auto again = load_tokenizer(folder.path());
  EXPECT_EQ(again->kind(), "tokenizer.json");
  EXPECT_EQ(again->bos(), tokenizer_->bos());
  EXPECT_EQ(again->eos(), tokenizer_->eos());
  EXPECT_EQ(tokenizer_hash(*again), tokenizer_hash(*tokenizer_));
}

TEST_P(Variants, GiveEqualIdsForATextInParts) {
  // Cut where a word begins, long texts are encoded in parts without anything put in between.
  const std::string text = "Where is the river? It is there.";
  const size_t cut = text.find("? ") + 1;
  Ids parts = tokenizer_->encode(text.substr(0, cut));
  const Ids rest = tokenizer_->encode_continuation(text.substr(cut));
  parts.insert(parts.end(), rest.begin(), rest.end());
  EXPECT_EQ(tokenizer_->decode(parts), tokenizer_->decode(tokenizer_->encode(text)));
}

std::string name_of(const testing::TestParamInfo<fs::path>& info) {
  return info.param.filename().string() + "_" + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(TokenizerJson, Variants,
                         testing::ValuesIn(tests::interchange_variants("tokenizers", "cases.jsonl")), name_of);

TEST(TokenizerJson, RefusesWhatItDoesNotKnowByName) {
  size_t refused = 0;
  for (const fs::path& folder : tests::interchange_folders("tokenizers")) {
    if (!fs::exists(folder / "refused")) continue;
    const auto results = nlohmann::json::parse(base::read_text(folder / "refused" / "results.json"));
    for (const auto& item : results) {
      const fs::path file = folder / "refused" / item["file"].get<std::string>();
      if (item["must"] != "refuse") {
        try {
          load_tokenizer_json(file);  // either way, but no crash
        } catch (const base::IoError&) {}
        continue;
      }
      const std::string said = error_of<base::IoError>([&] { load_tokenizer_json(file); });
      EXPECT_TRUE(contains(said, file.filename().string())) << item.dump() << said;
      EXPECT_LT(said.size(), 600u) << said;
      ++refused;
    }
  }
  EXPECT_GE(refused, 20u);
}

}  // namespace
}  // namespace memlayers::text
