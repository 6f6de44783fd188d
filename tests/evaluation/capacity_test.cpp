// The count of bits on models whose knowledge is known exactly.
#include "evaluation/capacity/capacity.h"
#include "report/capacity/capacity_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "support/data_entropy.h"
#include "support/usage_error.h"

namespace memlayers::evaluation {
namespace {

const std::shared_ptr<const text::Tokenizer> kBytes = text::byte_tokenizer();
constexpr int64_t kNames = int64_t{1} << 20;
constexpr int64_t kColors = 16, kTowns = 256;
constexpr double kColorBits = 4, kTownBits = 8;

/// People with a color and a town each.
data::Biographies some_people(int64_t people) {
  data::Biographies result;
  result.names = kNames;
  result.attributes = {{"color", kColors, {"[X] likes [Y].", "The color of [X] is [Y]."}, {"[X] prefers [Y] now."}},
                       {"town", kTowns, {"[X] lives in [Y]."}, {"[X] has a house in [Y].", "Home of [X]: [Y]."}}};
  for (int64_t i = 0; i < people; ++i) {
    const std::string number = std::to_string(100'000 + i);
    result.people.push_back(
        {"Person " + number, {"color " + std::to_string(i % kColors + 10), "town " + std::to_string(i % kTowns)}});
  }
  return result;
}

/// What is asked about, found out from the passage alone; a passage that does not hold exactly the name or the person's
/// true value fails the test.
struct Asked {
  int64_t person = -1;
  int attribute = -1;  // -1: the name
  bool trained = true;
  std::string opening;
};

Asked asked(const data::Biographies& people, const ScoredPassage& passage) {
  const auto text = [](const std::vector<int64_t>& ids) { return kBytes->decode({ids.begin(), ids.end()}); };
  const std::string head = text(passage.head), tail = text(passage.tail);
  Asked result;
  const std::string& named = tail.starts_with("Person ") ? tail : head;
  const size_t at = named.find("Person ");
  EXPECT_EQ(passage.head.front(), kBytes->bos());
  if (at == std::string::npos) {
    ADD_FAILURE() << "nobody is named in: " << head << "|" << tail;
    return result;
  }
  result.person = std::stoll(named.substr(at + 7, 6)) - 100'000;
  const data::Person& person = people.people.at(result.person);
  if (&named == &tail) {
    EXPECT_EQ(tail, person.name);
    result.opening = head;
    return result;
  }
  result.attribute = tail.starts_with("color") ? 0 : 1;
  EXPECT_EQ(tail, person.values[result.attribute]);
  const data::BiographyAttribute& attribute = people.attributes[result.attribute];
  const auto begins = [&](const std::string& wording) {
    return head == data::render(wording.substr(0, wording.find("[Y]")), person.name, "");
  };
  result.trained = std::ranges::any_of(attribute.trained, begins);
  EXPECT_TRUE(result.trained || std::ranges::any_of(attribute.held_out, begins)) << head;
  return result;
}

/// A model of which every answer is given.
TailNats model_of(const data::Biographies& people, const std::function<double(const Asked&)>& nats) {
  return [&people, nats](const std::vector<ScoredPassage>& passages) {
    std::vector<double> result;
    for (const ScoredPassage& passage : passages) result.push_back(nats(asked(people, passage)));
    return result;
  };
}

double uniform(const Asked& what) {
  return std::log(static_cast<double>(what.attribute < 0 ? kNames : what.attribute == 0 ? kColors : kTowns));
}

results::Capacity estimate(const data::Biographies& people, const std::function<double(const Asked&)>& nats,
                           int64_t limit = 0) {
  CapacityOptions options;
  options.limit = limit;
  return estimate_capacity(people, *kBytes, model_of(people, nats), options);
}

TEST(Capacity, OfAModelThatKnowsEverythingIsAllThatIsInTheData) {
  const data::Biographies people = some_people(512);
  const results::Capacity found =
      estimate(people, [](const Asked& what) { return what.attribute < 0 ? std::log(512) : 0.0; });
  EXPECT_EQ(found.people, 512);
  EXPECT_EQ(found.measured, 512);
  EXPECT_NEAR(found.name.value, 512 * 11, 1e-6) << "2^20 names for 2^9 people";
  EXPECT_NEAR(found.values_stored.value, 512 * 12, 1e-9);
  EXPECT_NEAR(found.values_extractable.value, 512 * 12, 1e-9);
  EXPECT_NEAR(found.stored.value, found.most_bits, 1e-6);
  EXPECT_NEAR(found.stored.low, found.stored.high, 1e-6) << "everyone is known alike";
  // The bound names people in an order, whereas the data is a set: log2 e bits a person are never counted.
  EXPECT_LT(found.most_bits, tests::entropy(people));
  EXPECT_NEAR(found.most_bits + 512 * std::numbers::log2e, tests::entropy(people), 8);
}

TEST(Capacity, OfAModelThatKnowsNothingIsZero) {
  const data::Biographies people = some_people(100);
  for (const double factor : {1.0, 1.7}) {  // uniform, and worse than that
    const results::Capacity found = estimate(people, [&](const Asked& what) { return factor * uniform(what); });
    for (const results::Bits& bits : {found.name, found.values_stored, found.values_extractable, found.stored}) {
      EXPECT_NEAR(bits.value, 0, 1e-9);
      EXPECT_NEAR(bits.low, 0, 1e-9);
      EXPECT_NEAR(bits.high, 0, 1e-9);
    }
  }
}

TEST(Capacity, OfAKnownShareIsThatShare) {
  const data::Biographies people = some_people(400);
  const results::Capacity found = estimate(people, [](const Asked& what) {
    if (what.attribute < 0) return std::log(static_cast<double>(kNames) / 8);        // 3 bits of each name
    if (what.attribute == 0) return what.person % 4 == 0 ? 0.0 : uniform(what);      // a quarter is known
    return what.trained || what.person % 10 == 0 ? std::log(4) : uniform(what) + 2;  // 6 bits of 8, or wrong
  });
  EXPECT_NEAR(found.name.value, 400 * 3, 1e-6);
  EXPECT_NEAR(found.attributes[0].stored.value, 100 * kColorBits, 1e-9);
  EXPECT_NEAR(found.attributes[0].extractable.value, 100 * kColorBits, 1e-9);
  EXPECT_NEAR(found.attributes[0].trained_nats, 0.75 * std::log(16), 1e-12);
  EXPECT_NEAR(found.attributes[1].stored.value, 400 * 6, 1e-9);
  EXPECT_EQ(found.attributes[1].extractable.value, 0) << "confident errors cost more than a tenth brings";
  EXPECT_NEAR(found.values_stored.value, 400 + 2400, 1e-9);
  EXPECT_NEAR(found.values_extractable.value, 400, 1e-9);
  EXPECT_NEAR(found.stored.value, 1200 + 2800, 1e-6);
}

TEST(Capacity, IsClippedByTermAndNotByPerson) {
  const data::Biographies people = some_people(200);
  const results::Capacity found = estimate(people, [](const Asked& what) {
    if (what.attribute == 1) return 0.0;
    return what.person % 2 == 0 ? 0.0 : 2 * uniform(what);  // right for one half, as wrong for the other
  });
  EXPECT_NEAR(found.attributes[0].stored.value, 0, 1e-9);
  EXPECT_NEAR(found.values_stored.value, 200 * kTownBits, 1e-9) << "one attribute does not pay for another";
}

TEST(Capacity, TakesTheOpeningAfterWhichNamesAreLikelier) {
  const data::Biographies people = some_people(64);
  for (const std::string likely : {"", "The color of "}) {
    const results::Capacity found = estimate(people, [&](const Asked& what) {
      if (what.attribute >= 0) return 0.0;
      EXPECT_TRUE(what.opening.empty() || what.opening == "The color of ") << what.opening;
      return what.opening == likely ? std::log(64) : std::log(128);
    });
    EXPECT_EQ(found.name_opening, likely);
    EXPECT_NEAR(found.name.value, 64 * 14, 1e-6);
  }
}

TEST(Capacity, OfASampleHasAnIntervalThatShowsIt) {
  const data::Biographies people = some_people(4000);
  const auto knows_some = [](const Asked& what) {
    if (what.attribute < 0) return uniform(what);
    return base::RandomStream(5, "known", what.person).below(10) < 3 ? 0.0 : uniform(what);
  };
  const results::Capacity all = estimate(people, knows_some), some = estimate(people, knows_some, 400);
  EXPECT_EQ(some.measured, 400);
  EXPECT_EQ(some.people, 4000);
  EXPECT_NEAR(all.values_stored.value, 0.3 * 4000 * 12, 0.03 * 4000 * 12);
  EXPECT_LT(some.values_stored.low, all.values_stored.value);
  EXPECT_GT(some.values_stored.high, all.values_stored.value);
  for (const results::Capacity* found : {&all, &some}) {
    const results::Bits& bits = found->values_stored;
    const double share = bits.value / (4000 * 12);
    const double normal = 2 * 1.96 * 4000 * 12 * std::sqrt(share * (1 - share) / static_cast<double>(found->measured));
    EXPECT_NEAR(bits.high - bits.low, normal, 0.12 * normal);
  }
  const results::Capacity again = estimate(people, knows_some, 400);
  EXPECT_EQ(report::capacity_json(again, "m"), report::capacity_json(some, "m"));
  EXPECT_EQ(estimate(people, knows_some, 100'000).measured, 4000);
}

TEST(Capacity, AnInterruptLeavesWhatWasScored) {
  const data::Biographies people = some_people(1000);
  const results::Capacity found = estimate(people, [](const Asked& what) {
    base::set_interrupted(true);
    return uniform(what);
  });
  EXPECT_EQ(found.measured, 256);
  EXPECT_EQ(estimate(people, uniform).measured, 0) << "interrupted from the start";
  base::set_interrupted(false);
}

TEST(Capacity, RefusesWhatCannotBeCounted) {
  const data::Biographies people = some_people(3);
  for (const double bad : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(estimate(people, [&](const Asked&) { return bad; }), base::Error);
  }
  EXPECT_NE(tests::usage_error([&] { estimate(some_people(0), uniform); }).find("no people"), std::string::npos);
}

TEST(Capacity, IsPrintedAsATableAndAsJson) {
  const data::Biographies people = some_people(512);
  results::Capacity found =
      estimate(people, [](const Asked& what) { return what.attribute < 0 ? std::log(512) : 0.0; });
  found.size = {.parameters = 46 * 512, .non_embedding = 23 * 512, .table_parameters = 100, .bytes = 23 * 64};
  const std::string text = report::capacity_text(found, "runs/x");
  for (const char* part : {"runs/x", "23,552 parameters", "1,048,576", "11.00 [11.00, 11.00]", "12.00 [12.00, 12.00]",
                           "1.000 [1.000, 1.000]", "8.000 [8.000, 8.000]", "town"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  const auto json = nlohmann::json::parse(report::capacity_json(found, "runs/x"));
  EXPECT_NEAR(json["bits_per_parameter"]["bits"].get<double>(), 0.5, 1e-6);
  EXPECT_NEAR(json["bits_per_non_embedding_parameter"]["low"].get<double>(), 1, 1e-6);
  EXPECT_NEAR(json["bits_per_byte"]["high"].get<double>(), 8, 1e-6);
  EXPECT_EQ(json["attributes"][1]["values"], 256);
}

}  // namespace
}  // namespace memlayers::evaluation
