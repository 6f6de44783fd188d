#include "data/sources/biography_file.h"

#include <cmath>

#include "data/shards/prepared_data.h"
#include "data/sources/biographies.h"
#include "support/data_fixture.h"

namespace memlayers::data {
namespace {

using base::IoError;
using base::UsageError;

PrepareSource people_source(int64_t people, SourceUse use = SourceUse::kBoth) {
  PrepareSource source = source_of(SourceKind::kBiographies);
  source.people = people;
  source.copies = 2;
  source.use = use;
  return source;
}

/// A folder with biographies of 12 people.
class BiographyFile : public ::testing::Test {
 protected:
  void SetUp() override { prepare(prepare_config(data_, {people_source(12)}), false); }
  nlohmann::ordered_json prepared() const { return read_prepare_file(data_); }
  std::string failure() const {
    return error_of<IoError>([&] { read_biographies(data_); });
  }

  const TemporaryFolder folder_;
  const fs::path data_ = folder_.path() / "data";
};

TEST_F(BiographyFile, HoldsThePeopleOfTheShards) {
  const Biographies found = read_biographies(data_);
  ASSERT_EQ(found.people.size(), 12u);
  ASSERT_EQ(found.attributes.size(), 6u);
  EXPECT_EQ(found.names, 400ll * 400 * 1000);
  const std::string text = joined(read_documents(data_, "train"));
  for (const Person& person : found.people) {
    EXPECT_TRUE(contains(text, person.name)) << person.name;
    for (size_t a = 0; a < found.attributes.size(); ++a) {
      const auto told = [&](const std::string& wording) {
        return contains(text, render(wording, person.name, person.values[a]));
      };
      EXPECT_TRUE(std::ranges::any_of(found.attributes[a].trained, told)) << person.name << " " << person.values[a];
      EXPECT_TRUE(std::ranges::none_of(found.attributes[a].held_out, told)) << person.name << " " << person.values[a];
    }
  }
}

TEST_F(BiographyFile, ListsTheTrainedPeopleOfAllSources) {
  const auto people = [&](std::vector<PrepareSource> sources) {
    const fs::path folder = folder_.path() / std::to_string(sources.size());
    prepare(prepare_config(folder, std::move(sources)), false);
    return read_biographies(folder).people.size();
  };
  EXPECT_EQ(people({people_source(12), people_source(30)}), 30u);
  EXPECT_EQ(people({people_source(7), people_source(12), people_source(40, SourceUse::kAsk)}), 12u);
}

TEST_F(BiographyFile, IsRefusedWhenItIsNotTheOneOfPrepare) {
  const fs::path file = data_ / kBiographiesFile;
  std::string bytes = base::read_text(file);
  bytes[bytes.size() / 2] ^= 1;
  write_file(file, bytes);
  EXPECT_TRUE(contains(failure(), "is damaged")) << failure();
  write_file(file, bytes.substr(0, bytes.size() / 2));
  EXPECT_TRUE(contains(failure(), "is damaged")) << failure();
  fs::remove(file);
  EXPECT_TRUE(contains(failure(), "is missing")) << failure();
}

/// A file that fits its hash but not its own rules.
TEST_F(BiographyFile, NamesTheLineThatCannotBe) {
  Biographies people = read_biographies(data_);
  const auto failure_of = [&](const Biographies& wrong) {
    auto summary = prepared();
    summary["biographies"] = write_biographies(data_, wrong);
    write_file(data_ / kPrepareFile, summary.dump());
    return failure();
  };
  EXPECT_EQ(failure_of(people), "");
  Biographies wrong = people;
  wrong.people[3].values.pop_back();
  EXPECT_TRUE(contains(failure_of(wrong), ":11: expected 6 values, got 5")) << failure_of(wrong);
  wrong = people;
  wrong.people[1].name = wrong.people[0].name;
  EXPECT_TRUE(contains(failure_of(wrong), "two people")) << failure_of(wrong);
  wrong = people;
  wrong.attributes[2].trained = {"[Y] is where [X] studied."};
  EXPECT_TRUE(contains(failure_of(wrong), "[X] before [Y]")) << failure_of(wrong);
  wrong = people;
  wrong.people[2].name = "";
  EXPECT_TRUE(contains(failure_of(wrong), "is empty")) << failure_of(wrong);
  wrong = people;
  wrong.people[2].values[5] = "";
  EXPECT_TRUE(contains(failure_of(wrong), "is empty")) << failure_of(wrong);
  wrong = people;
  wrong.names = 3;
  EXPECT_TRUE(contains(failure_of(wrong), "more people than names")) << failure_of(wrong);
  wrong = people;
  wrong.attributes[0].values = 0;
  EXPECT_TRUE(contains(failure_of(wrong), "\"values\"")) << failure_of(wrong);
}

TEST_F(BiographyFile, FoldersWithoutItSayWhy) {
  auto older = prepared();
  older.erase("biographies");
  write_file(data_ / kPrepareFile, older.dump());
  EXPECT_TRUE(contains(error_of<UsageError>([&] { read_biographies(data_); }), "--force"));
  const fs::path text = folder_.path() / "text";
  write_file(folder_.path() / "t.txt", "One.\n\nTwo.\n");
  prepare(prepare_config(text, {source_of(SourceKind::kText, folder_.path() / "t.txt")}), false);
  EXPECT_TRUE(contains(error_of<UsageError>([&] { read_biographies(text); }), "holds no biographies"));
  EXPECT_FALSE(fs::exists(text / kBiographiesFile));
}

/// True when no text begins another one.
bool prefix_free(const std::set<std::string>& texts) {
  const std::string* before = nullptr;
  for (const std::string& text : texts) {  // in order, so what a text begins comes right after it
    if (before != nullptr && text.starts_with(*before)) return false;
    before = &text;
  }
  return true;
}

/// What the count of bits rests on.
TEST(DrawnBiographies, HaveAsManyValuesAsTheySayAllEquallyLikely) {
  constexpr int64_t kPeople = 100'000;
  const Biographies drawn = draw_biographies(3, kPeople);
  for (size_t a = 0; a < drawn.attributes.size(); ++a) {
    std::map<std::string, double> counts;
    std::map<std::pair<std::string, std::string>, int> with_employer;
    for (const Person& person : drawn.people) {
      ++counts[person.values[a]];
      if (drawn.attributes[a].name == "company_city") ++with_employer[{person.values[4], person.values[a]}];
    }
    const auto values = static_cast<double>(drawn.attributes[a].values);
    if (drawn.attributes[a].name == "company_city") {
      EXPECT_EQ(values, 1);
      EXPECT_EQ(with_employer.size(), 240u) << "one city for each employer";
      continue;
    }
    const double each = kPeople / values, seen = values * (1 - std::exp(-each));
    EXPECT_LE(static_cast<double>(counts.size()), values);
    EXPECT_NEAR(static_cast<double>(counts.size()), seen, 5 * std::sqrt(values * std::exp(-each)) + 1e-9);
    for (const auto& [value, count] : counts) EXPECT_NEAR(count, each, 6.5 * std::sqrt(each) + 1) << value;
  }
}

/// Probabilities of values add up to at most one only where no value begins another.
TEST(DrawnBiographies, NoValueOrNameBeginsAnother) {
  const Biographies drawn = draw_biographies(3, 50'000);
  for (size_t a = 0; a < drawn.attributes.size(); ++a) {
    std::set<std::string> values;
    for (const Person& person : drawn.people) values.insert(person.values[a]);
    EXPECT_TRUE(prefix_free(values)) << drawn.attributes[a].name;
  }
  // First and middle names end with a space, so only last names could.
  std::set<std::string> last_names;
  for (const Person& person : drawn.people) last_names.insert(person.name.substr(person.name.rfind(' ') + 1));
  EXPECT_EQ(last_names.size(), 1000u);
  EXPECT_TRUE(prefix_free(last_names));
}

}  // namespace
}  // namespace memlayers::data
