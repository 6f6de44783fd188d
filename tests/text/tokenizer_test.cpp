#include <gtest/gtest.h>
#include "base/random.h"
#include "base/utf8.h"

#include "base/error.h"
#include "base/file.h"
#include "support/error_of.h"
#include "support/temporary_folder.h"
#include "text/tokenizer.h"
#include "text/tokenizer_files.h"
#include "text/tokenizer_json/tokenizer_json.h"

namespace memlayers::text {
namespace {

namespace fs = std::filesystem;
using tests::contains;
using tests::error_of;
using tests::TemporaryFolder;

using base::IoError;
using base::UsageError;

std::vector<std::string> training_lines() {
  std::vector<std::string> lines;
  base::RandomStream stream(5, "training lines");
  std::vector<std::string> words = {"alpha", "beta", "gamma", "delta", "Zürich", "Łódź",
                                    "of",    "the",  "is",    "42",    "1987"};
  const std::vector<std::string> syllables = {"ba",  "cor", "den", "fi",  "gul", "ha", "lor",
                                              "men", "no",  "pra", "sti", "ton", "va", "wex"};
  for (int i = 0; i < 150; ++i) {
    std::string word;
    for (int s = 0; s < 3; ++s) word += syllables[stream.below(syllables.size())];
    words.push_back(word);
  }
  for (int i = 0; i < 300; ++i) {
    std::string line;
    for (int w = 0; w < 12; ++w)
      line += (w ? " " : "") + words[stream.below(words.size())] + std::to_string(stream.below(30));
    lines.push_back(line + ".");
  }
  return lines;
}

/// Random characters of all planes, with spaces, line ends, NUL, the space mark and the specials' names among them.
std::string random_text(base::RandomStream& stream) {
  static const std::vector<std::string> kAwkward = {
      " ",    "  ",    "\n",     "\t", std::string(1, '\0'), "\xE2\x96\x81",     "<s>",
      "</s>", "<unk>", "<0x41>", "\r", "\xF0\x9F\xBF\xBE",   "\xF4\x8F\xBF\xBF", "the",
      " the"};
  std::string text;
  for (uint64_t i = stream.below(30); i > 0; --i) {
    if (stream.below(2) == 0) {
      text += kAwkward[stream.below(kAwkward.size())];
      continue;
    }
    uint32_t code = static_cast<uint32_t>(stream.below(stream.below(2) ? 0x250 : 0x110000));
    if (code >= 0xD800 && code < 0xE000) code = 'x';
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else if (code < 0x800) {
      text += {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
    } else if (code < 0x10000) {
      text += {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
               static_cast<char>(0x80 | (code & 63))};
    } else {
      text += {static_cast<char>(0xF0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
               static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
    }
  }
  return text;
}

void expect_round_trips(const Tokenizer& tokenizer) {
  base::RandomStream stream(9, "round trips");
  for (int i = 0; i < 3000; ++i) {
    std::string text = random_text(stream), more = random_text(stream);
    ASSERT_EQ(base::repair_utf8(text), 0u);
    auto ids = tokenizer.encode(text);
    for (const int32_t id : ids) {
      ASSERT_TRUE(id >= 0 && id < tokenizer.vocab_size() && id != tokenizer.bos() && id != tokenizer.eos());
    }
    ASSERT_EQ(tokenizer.decode(ids), text);
    if (text.empty()) continue;
    const auto rest = tokenizer.encode_continuation(more);
    ids.insert(ids.end(), rest.begin(), rest.end());
    ASSERT_EQ(tokenizer.decode(ids), text + more);
  }
}

TEST(ByteTokenizer, RoundTripsArbitraryText) {
  const auto tokenizer = byte_tokenizer();
  EXPECT_EQ(tokenizer->vocab_size(), 259);
  EXPECT_EQ(tokenizer->encode("A\xFF"), (std::vector<int32_t>{3 + 'A', 3 + 255}));
  EXPECT_EQ(tokenizer->decode({1, 3 + 'A', 0, 2}), "A");
  expect_round_trips(*tokenizer);
}

class SentencePiece : public ::testing::TestWithParam<std::string> {};

TEST_P(SentencePiece, RoundTripsArbitraryText) {
  expect_round_trips(*train_sentencepiece(training_lines(), 500, GetParam()));
}

TEST_P(SentencePiece, DecodesEveryIdToSomething) {
  const auto tokenizer = train_sentencepiece(training_lines(), 400, GetParam());
  for (int32_t id = 0; id < tokenizer->vocab_size(); ++id) EXPECT_NO_THROW(tokenizer->decode({id}));
  EXPECT_EQ(tokenizer->decode({tokenizer->bos(), tokenizer->eos()}), "");
}

TEST_P(SentencePiece, TrainingIsDeterministicAndSilent) {
  ::testing::internal::CaptureStderr();
  const auto first = train_sentencepiece(training_lines(), 400, GetParam());
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(first->vocab_size(), 400);
  EXPECT_EQ(tokenizer_hash(*first), tokenizer_hash(*train_sentencepiece(training_lines(), 400, GetParam())));
  EXPECT_NE(tokenizer_hash(*first), tokenizer_hash(*train_sentencepiece(training_lines(), 401, GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Kinds, SentencePiece, ::testing::Values("bpe", "unigram"));

TEST(SentencePiece, AnswerTokensDoNotDependOnWhetherThePromptIsEncodedWithThem) {
  const auto tokenizer = train_sentencepiece(training_lines(), 500);
  const auto prompt = tokenizer->encode("alpha3 of the"), whole = tokenizer->encode("alpha3 of the beta7.");
  ASSERT_GT(whole.size(), prompt.size());
  EXPECT_TRUE(std::equal(prompt.begin(), prompt.end(), whole.begin()));
}

TEST(SentencePiece, LowersTheVocabularyWithANoteWhenTheTextIsTooSmall) {
  ::testing::internal::CaptureStderr();
  const auto tokenizer = train_sentencepiece({"a small text", "small text a"}, 5000);
  EXPECT_TRUE(contains(::testing::internal::GetCapturedStderr(), "pieces of the 5000 asked for"));
  EXPECT_LT(tokenizer->vocab_size(), 400);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a smaller ¿text?")), "a smaller ¿text?");
}

TEST(SentencePiece, RefusesWhatCannotBeTrained) {
  EXPECT_TRUE(
      contains(error_of<UsageError>([] { train_sentencepiece(training_lines(), 200); }), "tokenizer.vocab_size"));
  EXPECT_TRUE(contains(error_of<UsageError>([] { train_sentencepiece(training_lines(), 262); }), "tokenizer"));
  EXPECT_TRUE(contains(error_of<UsageError>([] { train_sentencepiece({}, 400); }), "no text"));
  EXPECT_TRUE(
      contains(error_of<UsageError>([] { train_sentencepiece(training_lines(), 400, "word"); }), "bpe or unigram"));
}

TEST(SentencePiece, IsWrittenAsATokenizerJsonThatGivesTheSameIds) {
  const TemporaryFolder folder;
  const auto trained = train_sentencepiece(training_lines(), 600);
  trained->save(folder.path());
  const auto json = load_tokenizer_json(folder.path() / kTokenizerJsonFile);
  EXPECT_EQ(json->vocab_size(), trained->vocab_size());
  EXPECT_EQ(json->before_text(), trained->before_text());
  EXPECT_EQ(json->eos(), trained->eos());
  std::vector<std::string> texts = training_lines();
  base::RandomStream stream(11, "texts for a tokenizer.json");
  for (int i = 0; i < 400; ++i) texts.push_back(random_text(stream));
  texts.insert(texts.end(), {"", " ", "   ", "of", " of", "of the ", "aaaaaaaaaa", "banana\n\n of", "1987198719"});
  size_t compared = 0;
  for (const std::string& text : texts) {
    if (text.find("\xE2\x96\x81") != std::string::npos || text.find('<') != std::string::npos) continue;
    EXPECT_EQ(json->encode(text), trained->encode(text)) << text;
    EXPECT_EQ(json->decode(trained->encode(text)), text);
    ++compared;
  }
  EXPECT_GT(compared, 400u);
  // Loaded and saved again, as a run does with the data's tokenizer, it is still there.
  const TemporaryFolder again;
  load_tokenizer(folder.path())->save(again.path());
  EXPECT_EQ(base::read_text(again.path() / kTokenizerJsonFile), base::read_text(folder.path() / kTokenizerJsonFile));
  EXPECT_EQ(load_tokenizer(again.path())->kind(), "sentencepiece");
}

TEST(LoadTokenizer, LoadsWhatSaveWroteFromTheFolderOrTheModelAlone) {
  const TemporaryFolder folder;
  const auto trained = train_sentencepiece(training_lines(), 400);
  trained->save(folder.path());
  const std::string text = "alpha3 Łódź of 1987 ▁";
  for (const fs::path& path : {folder.path(), folder.path() / "tokenizer.model"}) {
    const auto loaded = load_tokenizer(path);
    EXPECT_EQ(loaded->kind(), "sentencepiece");
    EXPECT_EQ(loaded->encode(text), trained->encode(text));
    EXPECT_EQ(tokenizer_hash(*loaded), tokenizer_hash(*trained));
  }
  const TemporaryFolder other;
  byte_tokenizer()->save(other.path());
  EXPECT_EQ(load_tokenizer(other.path())->kind(), "bytes");
  EXPECT_EQ(load_tokenizer(other.path() / "tokenizer_config.json")->kind(), "bytes");
}

TEST(LoadTokenizer, NamesTheFileAndTheReason) {
  const TemporaryFolder folder;
  EXPECT_TRUE(contains(error_of<IoError>([&] { load_tokenizer(folder.path()); }), "holds no tokenizer"));
  EXPECT_TRUE(
      contains(error_of<IoError>([&] { load_tokenizer(folder.path() / "none"); }), "there is no tokenizer here"));
  base::write_text_atomically(folder.path() / "tokenizer_config.json", "{\"kind\":");
  EXPECT_TRUE(contains(error_of<IoError>([&] { load_tokenizer(folder.path()); }), "not valid JSON"));
  base::write_text_atomically(folder.path() / "tokenizer_config.json", "{\"kind\": \"words\"}");
  EXPECT_TRUE(contains(error_of<IoError>([&] { load_tokenizer(folder.path()); }), "another kind"));
  base::write_text_atomically(folder.path() / "tokenizer.model", "nonsense");
  EXPECT_TRUE(contains(error_of<IoError>([&] { load_tokenizer(folder.path()); }), "not a SentencePiece model"));
}

}  // namespace
}  // namespace memlayers::text
