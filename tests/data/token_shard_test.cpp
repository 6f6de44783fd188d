#include <cstring>

#include "base/random.h"
#include "support/data_fixture.h"

namespace memlayers::data {
namespace {

using base::IoError;
using base::UsageError;

std::vector<std::vector<int32_t>> some_documents(int64_t vocab_size) {
  base::RandomStream stream(3, "documents");
  std::vector<std::vector<int32_t>> documents(20);
  for (auto& document : documents) {
    document.resize(1 + stream.below(50));
    for (int32_t& id : document) id = static_cast<int32_t>(stream.below(vocab_size));
  }
  return documents;
}

void write_shard(const fs::path& stem, const std::vector<std::vector<int32_t>>& documents, int64_t vocab_size) {
  TokenShardWriter writer(stem, vocab_size);
  for (const auto& document : documents) writer.add_document(document);
  writer.finish();
}

TEST(TokenShard, ReadsBackWhatWasWrittenAtBothWidths) {
  for (const int64_t vocab_size : {65536, 65537}) {
    const TemporaryFolder folder;
    const auto documents = some_documents(vocab_size);
    write_shard(folder.path() / "a", documents, vocab_size);
    const TokenShard shard(folder.path() / "a");
    ASSERT_EQ(shard.documents(), 20);
    int64_t tokens = 0;
    for (int64_t i = 0; i < 20; ++i) {
      EXPECT_EQ(shard.read(i), documents[i]);
      tokens += shard.document_length(i);
    }
    EXPECT_EQ(shard.tokens(), tokens);
    EXPECT_EQ(fs::file_size(folder.path() / "a.bin"), static_cast<uint64_t>(tokens) * (vocab_size > 65536 ? 4 : 2));
    std::vector<int32_t> part(3);
    const auto longest =
        std::max_element(documents.begin(), documents.end(), [](auto& a, auto& b) { return a.size() < b.size(); });
    shard.read(longest - documents.begin(), 5, 8, part.data());
    EXPECT_EQ(part, std::vector<int32_t>(longest->begin() + 5, longest->begin() + 8));
    EXPECT_THROW(shard.read(0, 0, 51, part.data()), UsageError);
    EXPECT_THROW(shard.document_length(20), UsageError);
  }
}

TEST(TokenShard, HasTheLayoutOfMegatronsIndexedDataset) {
  const TemporaryFolder folder;
  write_shard(folder.path() / "a", {{7, 8}, {9}}, 300);
  std::string expected("MMIDIDX\0\0", 9);
  const auto put = [&](auto value) { expected.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  put(uint64_t{1}), put(uint8_t{8}), put(uint64_t{2}), put(uint64_t{3});
  put(int32_t{2}), put(int32_t{1}), put(int64_t{0}), put(int64_t{4});
  put(int64_t{0}), put(int64_t{1}), put(int64_t{2});
  EXPECT_EQ(base::read_text(folder.path() / "a.idx"), expected);
  EXPECT_EQ(base::read_text(folder.path() / "a.bin"), std::string("\7\0\10\0\11\0", 6));
}

TEST(TokenShard, TakesDocumentsInPartsAndDropsEmptyOnes) {
  const TemporaryFolder folder;
  TokenShardWriter writer(folder.path() / "a", 300);
  const std::vector<int32_t> first = {1, 2}, second = {3};
  writer.append(first);
  writer.append(second);
  writer.end_document();
  writer.end_document();
  writer.add_document({});
  writer.add_document(second);
  EXPECT_EQ(writer.documents(), 2);
  EXPECT_EQ(writer.tokens(), 4);
  writer.finish();
  const TokenShard shard(folder.path() / "a");
  EXPECT_EQ(shard.read(0), (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(shard.read(1), second);
}

TEST(TokenShard, RefusesTokensOutsideTheVocabularyAndLeavesNothingUnfinished) {
  const TemporaryFolder folder;
  {
    TokenShardWriter writer(folder.path() / "a", 300);
    EXPECT_THROW(writer.add_document(std::vector<int32_t>{300}), UsageError);
    EXPECT_THROW(writer.add_document(std::vector<int32_t>{-1}), UsageError);
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(TokenShard, RefusesAnIndexOrTokensCutAtAnyByte) {
  const TemporaryFolder folder;
  write_shard(folder.path() / "a", some_documents(300), 300);
  const std::string index = base::read_text(folder.path() / "a.idx"), tokens = base::read_text(folder.path() / "a.bin");
  const auto open = [](const std::string& idx, const std::string& bin) {
    TokenShard::from_bytes(std::as_bytes(std::span(idx)), std::as_bytes(std::span(bin)), "memory");
  };
  EXPECT_NO_THROW(open(index, tokens));
  for (size_t size = 0; size < index.size(); ++size) EXPECT_THROW(open(index.substr(0, size), tokens), IoError) << size;
  for (size_t size = 0; size < tokens.size(); ++size)
    EXPECT_THROW(open(index, tokens.substr(0, size)), IoError) << size;
  EXPECT_THROW(open(index + "x", tokens), IoError);
}

TEST(TokenShard, RefusesNumbersThatDoNotFitOrOverflow) {
  const TemporaryFolder folder;
  write_shard(folder.path() / "a", {{7, 8}, {9}}, 300);
  const std::string index = base::read_text(folder.path() / "a.idx"), tokens = base::read_text(folder.path() / "a.bin");
  const auto reason = [&](size_t at, auto value) {
    std::string damaged = index;
    std::memcpy(damaged.data() + at, &value, sizeof(value));
    return error_of<IoError>(
        [&] { TokenShard::from_bytes(std::as_bytes(std::span(damaged)), std::as_bytes(std::span(tokens)), "memory"); });
  };
  EXPECT_TRUE(contains(reason(0, 'X'), "memory.idx: not a token shard"));
  EXPECT_TRUE(contains(reason(9, uint64_t{2}), "version 2"));
  EXPECT_TRUE(contains(reason(17, uint8_t{6}), "token type 6"));
  EXPECT_TRUE(contains(reason(18, uint64_t{1}), "document ends"));
  EXPECT_TRUE(contains(reason(34, int32_t{-1}), "length -1"));
  EXPECT_TRUE(contains(reason(34, int32_t{0x7FFFFFFF}), "outside of the token file"));
  EXPECT_TRUE(contains(reason(42, int64_t{-2}), "outside of the token file"));
  EXPECT_TRUE(contains(reason(50, int64_t{6}), "outside of the token file"));
  EXPECT_TRUE(contains(reason(50, int64_t{3}), "outside of the token file"));  // not on a token
  EXPECT_TRUE(contains(reason(50, INT64_MAX), "outside of the token file"));
  EXPECT_TRUE(contains(reason(58, int64_t{1}), "one sequence"));
  EXPECT_TRUE(contains(reason(74, int64_t{1}), "last document end"));
  std::string huge = index;  // a count whose sizes overflow 64 bits
  const uint64_t count = UINT64_MAX / 8, ends = count + 1;
  std::memcpy(huge.data() + 18, &count, 8);
  std::memcpy(huge.data() + 26, &ends, 8);
  EXPECT_TRUE(contains(error_of<IoError>([&] {
                         TokenShard::from_bytes(std::as_bytes(std::span(huge)), std::as_bytes(std::span(tokens)),
                                                "memory");
                       }),
                       "damaged or truncated"));
}

TEST(TokenShard, NamesTheMissingFile) {
  const TemporaryFolder folder;
  write_shard(folder.path() / "a", {{7}}, 300);
  EXPECT_TRUE(contains(error_of<IoError>([&] { TokenShard shard(folder.path() / "b"); }), "b.idx"));
  fs::remove(folder.path() / "a.bin");
  EXPECT_TRUE(contains(error_of<IoError>([&] { TokenShard shard(folder.path() / "a"); }), "a.bin"));
}

}  // namespace
}  // namespace memlayers::data
