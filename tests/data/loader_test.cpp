#include <map>
#include <thread>

#include "data/shards/loader.h"
#include "support/data_fixture.h"

namespace memlayers::data {
namespace {

using base::IoError;
using base::UsageError;
using Documents = std::vector<std::vector<int32_t>>;

/// Document i: bos, `length(i)` tokens of value 3 + (i + shift) % 256, eos.
Documents numbered(int count, int shift = 0, int length = 0) {
  Documents documents;
  for (int i = 0; i < count; ++i) {
    std::vector<int32_t> document((length ? length : 1 + i % 7) + 2, 3 + (i + shift) % 256);
    document.front() = 1;
    document.back() = 2;
    documents.push_back(document);
  }
  return documents;
}

LoaderConfig config_of(const std::vector<fs::path>& folders, int64_t seq_len, int64_t batch_size,
                       const std::string& packing = "concatenate") {
  LoaderConfig config;
  for (const fs::path& folder : folders) config.sources.push_back({folder.string(), 1.0});
  config.seq_len = seq_len;
  config.batch_size = batch_size;
  config.packing = packing;
  return config;
}

TEST(Loader, AnEpochOfWindowsHoldsEveryDocumentOnce) {
  const TemporaryFolder folder;
  const auto documents = numbered(101);
  write_documents(folder.path(), documents, 10);  // eleven shards
  Loader loader(config_of({folder.path()}, 1, 1), "train");
  std::vector<int32_t> stream;
  for (int64_t i = 0; i < loader.epoch_tokens() - 1; ++i) {
    const auto window = loader.next();
    ASSERT_EQ(window.size(), 2u);
    if (stream.empty()) stream.push_back(window[0]);
    ASSERT_EQ(window[0], stream.back());  // windows overlap by one
    stream.push_back(window[1]);
  }
  std::multiset<std::vector<int32_t>> found;
  std::vector<int32_t> document;
  for (const int32_t id : stream) {
    document.push_back(id);
    if (id == 2) found.insert(std::exchange(document, {}));
  }
  EXPECT_EQ(found, std::multiset<std::vector<int32_t>>(documents.begin(), documents.end()));
}

TEST(Loader, EpochsAndSeedsHaveOrdersOfTheirOwn) {
  const TemporaryFolder folder;
  write_documents(folder.path(), numbered(50, 0, 3));
  auto config = config_of({folder.path()}, 5 * 50, 1);  // a window is an epoch
  const auto order = [](const std::vector<int32_t>& window, size_t from) {
    std::vector<int32_t> first;
    for (size_t i = from; i + 1 < window.size(); ++i) {
      if (window[i] == 1) first.push_back(window[i + 1]);
    }
    return first;
  };
  Loader loader(config, "train"), equal(config, "train");
  const auto a = loader.next(), b = loader.next();
  EXPECT_EQ(a, equal.next());
  EXPECT_NE(order(a, 0), order(b, 0));
  config.seed = 2;
  EXPECT_NE(order(a, 0), order(Loader(config, "train").next(), 0));
}

TEST(Loader, RowsOfABatchFollowOneAnother) {
  const TemporaryFolder folder;
  write_documents(folder.path(), numbered(40));
  Loader rows(config_of({folder.path()}, 6, 4), "train"), single(config_of({folder.path()}, 24, 1), "train");
  for (int i = 0; i < 5; ++i) {
    const auto batch = rows.next(), window = single.next();
    for (int row = 0; row < 4; ++row) {
      EXPECT_TRUE(std::equal(batch.begin() + row * 7, batch.begin() + row * 7 + 7, window.begin() + row * 6));
    }
  }
}

TEST(Loader, ResumesExactlyFromItsStateAtAnyBatch) {
  const TemporaryFolder folder;
  write_documents(folder.path() / "a", numbered(37), 5);
  write_documents(folder.path() / "b", numbered(11, 100, 40));
  for (const char* packing : {"concatenate", "whole"}) {
    const auto config = config_of({folder.path() / "a", folder.path() / "b"}, 9, 2, packing);
    Loader loader(config, "train");
    std::vector<std::string> states;
    std::vector<std::vector<int32_t>> batches;
    for (int i = 0; i < 60; ++i) {
      states.push_back(loader.state().dump());
      batches.push_back(loader.next());
    }
    for (int i = 0; i < 60; ++i) {
      Loader resumed(config, "train");
      resumed.set_state(nlohmann::json::parse(states[i]));
      for (int j = i; j < std::min(60, i + 5); ++j) ASSERT_EQ(resumed.next(), batches[j]) << packing << " " << i;
    }
    Loader last(config, "train");
    last.set_state(loader.state());
    EXPECT_EQ(last.cropped_share(), loader.cropped_share());
  }
}

TEST(Loader, DoesNotDependOnThreads) {
  const TemporaryFolder folder;
  write_documents(folder.path(), numbered(37));
  const auto config = config_of({folder.path()}, 9, 4);
  Loader expected(config, "train");
  const auto first = expected.next(), second = expected.next();
  std::vector<std::vector<int32_t>> batches(8);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Loader loader(config, "train");
      if (t % 2 == 1) loader.next();
      batches[t] = loader.next();
    });
  }
  for (auto& thread : threads) thread.join();
  for (int t = 0; t < 8; ++t) EXPECT_EQ(batches[t], t % 2 == 1 ? second : first);
}

TEST(Loader, DrawsSourcesInProportionToTheirWeights) {
  const TemporaryFolder folder;
  write_documents(folder.path() / "a", numbered(20, 0, 3));
  write_documents(folder.path() / "b", numbered(20, 100, 3));
  auto config = config_of({folder.path() / "a", folder.path() / "b"}, 500, 10);
  config.sources[0].weight = 3;
  Loader loader(config, "train");
  int64_t from_a = 0, all = 0;
  for (int i = 0; i < 10; ++i) {
    for (const int32_t id : loader.next()) {
      if (id < 3) continue;
      ++all;
      from_a += id < 103;
    }
  }
  EXPECT_NEAR(static_cast<double>(from_a) / static_cast<double>(all), 0.75, 0.02);  // 10,000 draws: deviation 0.0043
  EXPECT_EQ(loader.epoch_tokens(), 2 * 20 * 5);
}

// Sources of different lengths, sizes and weights: each document of one is read so often as was said.
TEST(Loader, ExpectedPassesAreWhatIsRead) {
  const TemporaryFolder first, second;
  write_documents(first.path(), numbered(20, 0, 3), 100);
  write_documents(second.path(), numbered(40, 100, 12), 100);
  LoaderConfig config = config_of({first.path(), second.path()}, 63, 10);
  config.sources[1].weight = 3;
  Loader loader(config, "train");
  std::map<int32_t, int64_t> ends;  // of documents, by the value they are made of
  int32_t last = 0;
  for (int batch = 0; batch < 200; ++batch) {
    for (const int32_t id : loader.next()) {
      if (id == 2 && last > 2) ++ends[last];  // an overlapping token is not counted twice
      last = id;
    }
  }
  int64_t of_first = 0, of_second = 0;
  for (const auto& [value, count] : ends) (value < 103 ? of_first : of_second) += count;
  const int64_t tokens = 200 * 63 * 10;
  EXPECT_NEAR(double(of_first) / 20 / loader.expected_passes(0, tokens), 1, 0.05);
  EXPECT_NEAR(double(of_second) / 40 / loader.expected_passes(1, tokens), 1, 0.05);
  EXPECT_NEAR(loader.expected_passes(0, tokens), 126000 / 11.75 / 4 / 20,
              1e-9);  // a quarter of 5 tokens, the rest of 14
}

TEST(Loader, WholePackingBeginsEveryWindowWithADocumentAndCountsWhatIsCropped) {
  const TemporaryFolder folder;
  write_documents(folder.path(), numbered(10, 0, 4));  // six tokens each
  Loader loader(config_of({folder.path()}, 15, 4, "whole"), "train");
  const auto batch = loader.next();
  for (int row = 0; row < 4; ++row) {
    EXPECT_EQ(batch[row * 16], 1);
    EXPECT_EQ(batch[row * 16 + 6], 1);
    EXPECT_EQ(batch[row * 16 + 12], 1);
    EXPECT_EQ(batch[row * 16 + 11], 2);
  }
  EXPECT_DOUBLE_EQ(loader.cropped_share(), 2.0 / 18.0);  // of three documents the last loses two tokens
  Loader exact(config_of({folder.path()}, 11, 4, "whole"), "train");
  exact.next();
  EXPECT_EQ(exact.cropped_share(), 0.0);
  Loader other(config_of({folder.path()}, 15, 4), "train");
  other.next();
  EXPECT_EQ(other.cropped_share(), 0.0);
}

TEST(Loader, RefusesAStateOfOtherDataOrSettings) {
  const TemporaryFolder folder;
  write_documents(folder.path() / "a", numbered(20));
  write_documents(folder.path() / "b", numbered(21));
  const auto config = config_of({folder.path() / "a"}, 9, 2);
  Loader loader(config, "train");
  loader.next();
  const auto state = loader.state();
  Loader other(config_of({folder.path() / "b"}, 9, 2), "train");
  EXPECT_TRUE(contains(error_of<UsageError>([&] { other.set_state(state); }), "fingerprint"));
  auto seeded = config;
  seeded.seed = 9;
  EXPECT_TRUE(contains(error_of<UsageError>([&] { Loader(seeded, "train").set_state(state); }), "seed"));
  for (const char* key : {"draws", "drawn", "cursor", "tokens_drawn"}) {
    auto damaged = state;
    damaged.erase(key);
    EXPECT_TRUE(contains(error_of<IoError>([&] { Loader(config, "train").set_state(damaged, "run/state.json"); }),
                         "run/state.json: the loader's saved state is damaged"))
        << key;
  }
  auto outside = state;
  outside["cursor"]["document"] = 20;
  EXPECT_TRUE(contains(error_of<IoError>([&] { Loader(config, "train").set_state(outside); }), "document 20"));
}

TEST(Loader, RefusesDataThatDoNotFit) {
  const TemporaryFolder folder;
  write_documents(folder.path() / "a", numbered(5));
  write_documents(folder.path() / "other", numbered(5), 1000, "another tokenizer");
  EXPECT_TRUE(contains(error_of<UsageError>([&] {
                         Loader(config_of({folder.path() / "a", folder.path() / "other"}, 4, 1), "train");
                       }),
                       "different tokenizers"));
  EXPECT_TRUE(contains(error_of<IoError>([&] { Loader(config_of({folder.path() / "a"}, 4, 1), "validation"); }),
                       "no validation shards"));
  EXPECT_TRUE(contains(error_of<IoError>([&] { Loader(config_of({folder.path() / "none"}, 4, 1), "train"); }),
                       "memlayers prepare"));
  EXPECT_TRUE(contains(error_of<UsageError>([&] { Loader(config_of({}, 4, 1), "train"); }), "data.sources"));
  EXPECT_THROW(Loader(config_of({folder.path() / "a"}, 0, 1), "train"), UsageError);
  EXPECT_THROW(Loader(config_of({folder.path() / "a"}, 4, 1, "tight"), "train"), UsageError);
  fs::remove(folder.path() / "a" / "train-00000.bin");
  EXPECT_TRUE(
      contains(error_of<IoError>([&] { Loader(config_of({folder.path() / "a"}, 4, 1), "train"); }), "train-00000.bin"));
}

TEST(Loader, RefusesATokenOutsideTheVocabulary) {
  const TemporaryFolder folder;
  write_documents(folder.path(), numbered(1));
  TokenShardWriter writer(folder.path() / "train-00000", 1000);
  writer.add_document(std::vector<int32_t>{1, 259, 2});
  writer.finish();
  Loader loader(config_of({folder.path()}, 2, 1), "train");
  const std::string error = error_of<IoError>([&] { loader.next(); });
  EXPECT_TRUE(contains(error, "train-00000.bin: document 0 holds the token id 259")) << error;
}

}  // namespace
}  // namespace memlayers::data
