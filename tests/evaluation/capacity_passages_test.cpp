#include "evaluation/capacity/capacity_passages.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "support/usage_error.h"

namespace memlayers::evaluation {
namespace {

std::string text_of(const text::Tokenizer& tokenizer, const std::vector<int64_t>& ids) {
  return tokenizer.decode({ids.begin(), ids.end()});
}

/// Two bytes a token, wherever words begin and end.
class PairTokenizer : public text::Tokenizer {
 public:
  std::vector<int32_t> encode(const std::string& text) const override {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < text.size(); i += 2) {
      const int second = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
      ids.push_back(static_cast<unsigned char>(text[i]) * 256 + second);
    }
    return ids;
  }
  std::string decode(const std::vector<int32_t>& ids) const override {
    std::string text;
    for (const int32_t id : ids) {
      text += static_cast<char>(id / 256);
      if (id % 256 != 0) text += static_cast<char>(id % 256);
    }
    return text;
  }
  int32_t vocab_size() const override { return 65536; }
  int32_t bos() const override { return 1; }
  int32_t eos() const override { return 2; }
  std::string piece(int32_t id) const override { return decode({id}); }
  std::string kind() const override { return "pairs"; }
  void save(const std::filesystem::path&) const override {}
};

TEST(Passage, HoldsTheTokensOfItsBytesAndNoOthers) {
  const auto bytes = text::byte_tokenizer();
  const ScoredPassage found = passage(*bytes, "Ann likes red.", 10, 13);
  EXPECT_EQ(text_of(*bytes, found.head), "Ann likes ") << "the space is not the value's";
  EXPECT_EQ(text_of(*bytes, found.tail), "red");
  EXPECT_EQ(found.head.front(), bytes->bos());
  EXPECT_EQ(found.head.size(), 11u);
  EXPECT_EQ(passage(*bytes, "Ann likes red.", 0, 3).head, (std::vector<int64_t>{bytes->bos()}));
}

TEST(Passage, CountsATokenOverAnEdgeWhole) {
  const PairTokenizer pairs;
  const auto parts = [&](const std::string& text, size_t begin, size_t end) {
    const ScoredPassage found = passage(pairs, text, begin, end);
    return text_of(pairs, {found.head.begin() + 1, found.head.end()}) + "|" + text_of(pairs, found.tail);
  };
  EXPECT_EQ(parts("abcdefgh", 2, 6), "ab|cdef");
  EXPECT_EQ(parts("abcdefgh", 3, 6), "ab|cdef");
  EXPECT_EQ(parts("abcdefgh", 2, 5), "ab|cdef");
  EXPECT_EQ(parts("abcdefgh", 3, 4), "ab|cd");
  EXPECT_EQ(parts("abcdefg", 6, 7), "abcdef|g");
  EXPECT_EQ(parts("abcdefgh", 0, 8), "|abcdefgh");
}

class SentencePiecePassages : public ::testing::TestWithParam<const char*> {
 protected:
  SentencePiecePassages() {
    std::vector<std::string> lines;
    for (const data::Person& person : people_.people) {
      for (size_t a = 0; a < people_.attributes.size(); ++a) {
        lines.push_back(data::render(people_.attributes[a].trained[a], person.name, person.values[a]));
      }
    }
    tokenizer_ = text::train_sentencepiece(lines, 700, GetParam());
  }
  std::string text(const std::vector<int64_t>& ids) const { return text_of(*tokenizer_, ids); }

  const data::Biographies people_ = data::draw_biographies(2, 60);
  std::shared_ptr<const text::Tokenizer> tokenizer_;
};

/// The wordings that a passage's text may come from: of any attribute for names.
std::vector<std::string> wordings_of(const data::Biographies& people, std::optional<size_t> attribute, bool trained) {
  std::vector<std::string> all;
  for (size_t a = 0; a < people.attributes.size(); ++a) {
    if (attribute && *attribute != a) continue;
    const auto& own = trained ? people.attributes[a].trained : people.attributes[a].held_out;
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

TEST_P(SentencePiecePassages, AreExactlyNamesAndValues) {
  const CapacityPassages passages(people_, *tokenizer_);
  ASSERT_EQ(passages.openings(), (std::vector<std::string>{"", "The job of "}));
  ASSERT_EQ(passages.count(), 2u + 2 * 6);
  for (size_t p = 0; p < people_.people.size(); ++p) {
    const data::Person& person = people_.people[p];
    const std::vector<ScoredPassage> found = passages.passages(p);
    ASSERT_EQ(found.size(), passages.count());
    for (size_t i = 0; i < found.size(); ++i) {
      const auto attribute = i < 2 ? std::nullopt : std::optional((i - 2) % 6);
      const std::string& told = attribute ? person.values[*attribute] : person.name;
      // A piece may begin with the space before it: decoded by itself, it loses that space.
      EXPECT_EQ(text(found[i].tail), told);
      std::vector<int64_t> both = found[i].head;
      both.insert(both.end(), found[i].tail.begin(), found[i].tail.end());
      const auto begins = [&](const std::string& wording) {
        return text(both) ==
               data::render(wording.substr(0, wording.find(attribute ? "[Y]" : "[X]")), person.name, "") + told;
      };
      const bool trained = i < 8;
      EXPECT_TRUE(std::ranges::any_of(wordings_of(people_, attribute, trained), begins)) << text(both);
      if (!attribute) continue;
      EXPECT_TRUE(std::ranges::none_of(wordings_of(people_, attribute, !trained), begins)) << text(both);
    }
  }
}

/// Letters that the vocabulary lacks are four or two byte tokens each, and half a letter decodes to nothing sensible.
TEST_P(SentencePiecePassages, DoNotSplitCharacters) {
  const std::string text = "\u00d6\u03a9 was born in \u00c5\u4e16\u754c, they say.", value = "\u00c5\u4e16\u754c";
  const size_t begin = text.find(value);
  const ScoredPassage found = passage(*tokenizer_, text, begin, begin + value.size());
  EXPECT_TRUE(this->text(found.tail) == value || this->text(found.tail) == " " + value) << this->text(found.tail);
  const ScoredPassage name = passage(*tokenizer_, text, 0, 4);
  EXPECT_EQ(this->text(name.tail), "\u00d6\u03a9");
}

TEST_P(SentencePiecePassages, AreTheSameForEveryModelAndDifferInWording) {
  const CapacityPassages first(people_, *tokenizer_), second(people_, *tokenizer_);
  std::set<std::string> wordings;
  for (size_t p = 0; p < people_.people.size(); ++p) {
    const auto a = first.passages(p), b = second.passages(p);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].head, b[i].head);
    std::string head = text(a[2].head);
    head.replace(head.find(people_.people[p].name), people_.people[p].name.size(), "[X]");
    wordings.insert(head);
  }
  EXPECT_EQ(wordings.size(), 6u) << "of a date of birth";
}

INSTANTIATE_TEST_SUITE_P(Kinds, SentencePiecePassages, ::testing::Values("bpe", "unigram"));

}  // namespace
}  // namespace memlayers::evaluation
