#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/utf8.h"
#include "data/sources/biographies.h"
#include "data/sources/fact_files.h"
#include "data/sources/iso_codes.h"
#include "support/data_fixture.h"

namespace memlayers::data {
namespace {

using base::IoError;

std::set<std::string> words_of(const std::vector<std::string>& wordings) {
  std::set<std::string> words;
  for (const std::string& wording : wordings) {
    for (const std::string& word : base::plain_words(wording)) words.insert(word);
  }
  return words;
}

void expect_good_wordings(const std::vector<Relation>& relations) {
  std::set<std::string> all;
  for (const Relation& relation : relations) {
    EXPECT_EQ(relation.trained.size(), 6u) << relation.name;
    EXPECT_EQ(relation.held_out.size(), 2u) << relation.name;
    const auto trained = words_of(relation.trained);
    for (const std::string& word : words_of(relation.held_out))
      EXPECT_TRUE(trained.contains(word)) << relation.name << ": " << word;
    for (const auto* wordings : {&relation.trained, &relation.held_out}) {
      for (const std::string& wording : *wordings) {
        EXPECT_TRUE(ends_with_answer(wording)) << wording;
        EXPECT_TRUE(all.insert(wording).second) << "twice: " << wording;
      }
    }
  }
}

TEST(Wordings, HeldOutOnesUseOnlyTrainedWordsInFormsNeverTrained) {
  expect_good_wordings(iso_codes_relations());
  expect_good_wordings(biography_facts(1, 1).relations);
}

TEST(Wordings, RenderPutsSubjectAndAnswerInTheirPlacesOnly) {
  EXPECT_EQ(render("The code of [X] is [Y].", "A [Y] B", "[X]"), "The code of A [Y] B is [X].");
  EXPECT_EQ(render_prompt("The code of [X] is [Y].", "A [Y] B"), "The code of A [Y] B is");
  EXPECT_TRUE(ends_with_answer("[X] is [Y]"));
  EXPECT_FALSE(ends_with_answer("[Y] is [X]."));
  EXPECT_FALSE(ends_with_answer("[X] is [Y] too."));
  EXPECT_FALSE(ends_with_answer("The [X]-owned ([Y])"));
}

FactSet small_set() {
  FactSet set;
  set.relations = {{"a", 1, {"[X] a [Y]."}, {}}, {"b", 3, {"[X] b [Y]."}, {}}, {"c", 1, {"[X] c [Y]."}, {}}};
  for (int i = 0; i < 300; ++i) set.facts.push_back({i % 2, "s" + std::to_string(i), {"y"}, ""});
  for (int i = 0; i < 4; ++i) set.facts.push_back({2, "s" + std::to_string(i), {"y"}, ""});
  return set;
}

std::set<std::pair<int32_t, std::string>> keys(const FactSet& set) {
  std::set<std::pair<int32_t, std::string>> keys;
  for (const Fact& fact : set.facts) keys.emplace(fact.relation, fact.subject);
  return keys;
}

TEST(LimitFacts, SmallerSetsAreSubsetsAndRelationsKeepTheirShares) {
  std::set<std::pair<int32_t, std::string>> larger = keys(small_set());
  for (int64_t limit = 300; limit >= 1; limit -= 7) {
    FactSet set = small_set();
    limit_facts(set, limit, 1);
    const auto kept = keys(set);
    ASSERT_EQ(static_cast<int64_t>(kept.size()), limit);
    EXPECT_TRUE(std::includes(larger.begin(), larger.end(), kept.begin(), kept.end())) << limit;
    larger = kept;
    const auto counts = set.counts();
    if (limit > 30 && limit < 180) {
      EXPECT_NEAR(counts.at("b"), 3 * counts.at("a"), 4) << limit;
    }
  }
  FactSet one = small_set(), other = small_set();
  limit_facts(one, 40, 1);
  limit_facts(other, 40, 2);
  EXPECT_NE(keys(one), keys(other));
  EXPECT_EQ(one.left_out.at("beyond limit_facts"), 264);
}

TEST(KeepRelations, LeavesOthersOutAndRefusesUnknownNames) {
  FactSet set = small_set();
  keep_relations(set, {"c", "b"});
  EXPECT_EQ(set.counts(), (std::map<std::string, int64_t>{{"b", 150}, {"c", 4}}));
  EXPECT_EQ(set.left_out.at("of other relations"), 150);
  FactSet all = small_set();
  keep_relations(all, {});
  EXPECT_EQ(keys(all), keys(small_set()));
  try {
    keep_relations(all, {"capital"});
    FAIL();
  } catch (const base::UsageError& error) {
    EXPECT_STREQ(error.what(), "sources: relations: no relation \"capital\" here; there are a, b, c");
  }
}

TEST(Facts, AmbiguousSubjectsAreLeftOutOrMerged) {
  FactSet set;
  set.relations = {{"a", 1, {"[X] a [Y]."}, {}}, {"b", 1, {"[X] b [Y]."}, {}}};
  set.facts = {{0, "s", {"1"}, ""}, {0, "s", {"2"}, ""}, {1, "s", {"1"}, ""}, {0, "t", {"1"}, ""}, {0, "t", {"1"}, ""}};
  FactSet merged = set;
  drop_ambiguous(set);
  EXPECT_EQ(keys(set), (std::set<std::pair<int32_t, std::string>>{{1, "s"}, {0, "t"}}));
  EXPECT_EQ(set.left_out.at("ambiguous subject"), 2);
  EXPECT_EQ(set.left_out.at("repeated"), 1);
  merge_answers(merged);
  ASSERT_EQ(merged.facts.size(), 3u);
  EXPECT_EQ(merged.facts[0].answers, (std::vector<std::string>{"1", "2"}));
}

class IsoCodes : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kIsoCodesFolder)) GTEST_SKIP() << "Debian's package iso-codes is not installed";
    set_ = iso_codes_facts(kIsoCodesFolder);
  }
  std::vector<std::string> answers(const std::string& relation, const std::string& subject) const {
    for (const Fact& fact : set_.facts) {
      if (set_.relations[fact.relation].name == relation && fact.subject == subject) return fact.answers;
    }
    return {};
  }
  FactSet set_;
};

TEST_F(IsoCodes, KnowsWhatIsWellKnown) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(answers("country_alpha_2", "Aruba"), Texts{"AW"});
  EXPECT_EQ(answers("country_numeric", "Afghanistan"), Texts{"004"});
  EXPECT_EQ(answers("country_of_code", "BOL"), Texts{"Bolivia"});
  EXPECT_EQ(answers("former_country_withdrawn", "Netherlands Antilles"), Texts{"2010"});
  EXPECT_EQ(answers("subdivision_country", "Bavaria").size(), 0u);  // in its own language there: Bayern
  EXPECT_EQ(answers("subdivision_country", "Bayern"), Texts{"Germany"});
  EXPECT_EQ(answers("subdivision_country", "Limburg"), Texts{});  // Belgium or the Netherlands
  EXPECT_EQ(answers("subdivision_code", "Limburg in Belgium"), Texts{"BE-VLI"});
  EXPECT_EQ(answers("language_alpha_2", "Welsh"), Texts{"cy"});
  EXPECT_EQ(answers("language_of_code", "cym"), Texts{"Welsh"});
  EXPECT_EQ(answers("language_kind", "Latin"), Texts{"ancient"});
  EXPECT_EQ(answers("currency_code", "Swiss Franc"), Texts{"CHF"});
  EXPECT_EQ(answers("script_of_code", "Grek"), Texts{"Greek"});
}

TEST_F(IsoCodes, HasOneAnswerForEveryPromptAndNothingAskedIsGivenAway) {
  std::map<std::string, std::string> answer_of;
  for (const Fact& fact : set_.facts) {
    const Relation& relation = set_.relations[fact.relation];
    ASSERT_EQ(fact.answers.size(), 1u);
    EXPECT_EQ(fact.answers[0].find('.'), std::string::npos);
    EXPECT_EQ(fact.subject.find('['), std::string::npos) << fact.subject;
    for (const auto* wordings : {&relation.trained, &relation.held_out}) {
      for (const std::string& wording : *wordings) {
        const auto [place, added] = answer_of.try_emplace(render_prompt(wording, fact.subject), fact.answers[0]);
        EXPECT_TRUE(added || place->second == fact.answers[0])
            << place->first << " " << place->second << " / " << fact.answers[0];
      }
    }
  }
  EXPECT_GT(set_.facts.size(), 30000u);
  const auto counts = set_.counts();
  for (const Relation& relation : set_.relations) EXPECT_GE(counts.at(relation.name), 30) << relation.name;
}

TEST(IsoCodesFiles, NameTheFileThatIsMissingOrDamaged) {
  const TemporaryFolder folder;
  EXPECT_TRUE(contains(error_of<IoError>([&] { iso_codes_facts(folder.path()); }), "iso_3166-1.json"));
  EXPECT_TRUE(contains(error_of<IoError>([&] { iso_codes_facts(folder.path()); }), "package iso-codes"));
  write_file(folder.path() / "iso_3166-1.json", "{\"3166-1\": [{\"alpha_2\"");
  EXPECT_TRUE(contains(error_of<IoError>([&] { iso_codes_facts(folder.path()); }), "not a file of iso-codes"));
}

TEST(Biographies, PeopleDifferAndFewerAreAmongMore) {
  std::set<std::string> names;
  for (int64_t i = 0; i < 20000; ++i) names.insert(person_name(7, i));
  EXPECT_EQ(names.size(), 20000u);
  EXPECT_NE(person_name(7, 0), person_name(8, 0));
  EXPECT_THROW(person_name(7, 400ll * 400 * 1000), base::UsageError);
  EXPECT_NO_THROW(person_name(7, 400ll * 400 * 1000 - 1));
  const FactSet few = biography_facts(7, 10), many = biography_facts(7, 50);
  ASSERT_EQ(few.facts.size(), 60u);
  for (size_t i = 0; i < 60; ++i) {
    EXPECT_EQ(few.facts[i].subject, many.facts[i].subject);
    EXPECT_EQ(few.facts[i].answers, many.facts[i].answers);
    EXPECT_EQ(few.facts[i].relation, static_cast<int32_t>(i % 6));
  }
}

TEST(Biographies, ACompanyHasOneCity) {
  std::map<std::string, std::set<std::string>> cities;
  const FactSet set = biography_facts(1, 3000);
  for (size_t p = 0; p < 3000; ++p) cities[set.facts[p * 6 + 4].answers[0]].insert(set.facts[p * 6 + 5].answers[0]);
  EXPECT_EQ(cities.size(), 240u);
  for (const auto& [company, places] : cities) EXPECT_EQ(places.size(), 1u) << company;
}

TEST(FactFiles, HoldOutTheLastWordingsThatEndWithTheAnswer) {
  const TemporaryFolder folder;
  write_file(folder.path() / "facts.jsonl",
             "{\"relation\":\"P1\",\"subject\":\"s\",\"object\":\"y\"}\n{\"relation\":\"P1\",\"subject\":\"s\","
             "\"answers\":[\"y\",\"z\"]}\n"
             "{\"relation\":\"P2\",\"subject\":\"t\",\"answer\":\"u\",\"question\":\"What is "
             "t?\"}\n{\"relation\":\"P3\",\"subject\":\"v\",\"answer\":\"w\"}\n");
  std::string patterns;
  for (const char* pattern :
       {"[X] is [Y] .", "[X] was [Y]", "[Y] is what [X] is.", "[X] means [Y].", "of [X] comes [Y].", "[Y] for [X]."}) {
    patterns += std::string("{\"relation\":\"P1\",\"pattern\":\"") + pattern + "\"}\n";
  }
  write_file(folder.path() / "patterns.jsonl", patterns);
  const FactSet set = read_facts(folder.path() / "facts.jsonl", folder.path() / "patterns.jsonl", 2);
  const Relation& relation = set.relations[0];
  EXPECT_EQ(relation.held_out, (std::vector<std::string>{"[X] means [Y].", "of [X] comes [Y]."}));
  EXPECT_EQ(relation.trained,
            (std::vector<std::string>{"[X] is [Y].", "[X] was [Y].", "[Y] is what [X] is.", "[Y] for [X]."}));
  ASSERT_EQ(set.facts.size(), 2u);
  EXPECT_EQ(set.facts[0].answers, (std::vector<std::string>{"y", "z"}));
  EXPECT_EQ(trained_wordings(set, set.facts[1]), (std::vector<std::string>{"What is t? [Y]."}));
  EXPECT_EQ(set.left_out.at("no wording for the relation"), 1);
  const auto questions = fact_questions(set, 1);
  ASSERT_EQ(questions.size(), 4u);
  EXPECT_EQ(questions[0].prompt, "s means");
  EXPECT_FALSE(questions[0].seen_wording);
  EXPECT_TRUE(questions[2].seen_wording);
  EXPECT_EQ(questions[3].prompt, "What is t?");
}

TEST(FactFiles, NameFileAndLineOfWhatIsWrong) {
  const TemporaryFolder folder;
  const fs::path facts = folder.path() / "f.jsonl", patterns = folder.path() / "p.jsonl";
  write_file(facts, "{\"relation\":\"P1\",\"subject\":\"s\",\"object\":\"y\"}\n");
  write_file(patterns, "\n{\"relation\":\"P1\",\"pattern\":\"[X] is.\"}\n");
  EXPECT_TRUE(contains(error_of<IoError>([&] { read_facts(facts, patterns, 2); }), "p.jsonl:2: a pattern needs"));
  write_file(patterns, "{\"relation\":\"P1\",\"pattern\":\"[Y] is [X].\",\"held_out\":true}\n");
  EXPECT_TRUE(contains(error_of<IoError>([&] { read_facts(facts, patterns, 2); }), "p.jsonl:1: a held-out pattern"));
  write_file(facts, "{\"relation\":\"P1\",\"subject\":\"s\"}\n");
  EXPECT_TRUE(contains(error_of<IoError>([&] { read_facts(facts, "", 2); }), "f.jsonl:1: no answer"));
  write_file(facts, "{\"relation\":\"P1\",\"object\":\"s\"}\n");
  EXPECT_TRUE(contains(error_of<IoError>([&] { read_facts(facts, "", 2); }), "no field \"subject\""));
}

TEST(FactFiles, ReadPararel) {
  const fs::path facts = shared_file("facts/pararel.facts.jsonl.zst"),
                 patterns = shared_file("facts/pararel.patterns.jsonl.zst");
  if (facts.empty()) GTEST_SKIP() << "../shared/data is absent";
  const FactSet set = read_facts(facts, patterns, 2);
  EXPECT_GT(set.facts.size(), 25000u);
  int64_t asked = 0;
  for (const Relation& relation : set.relations) asked += !relation.held_out.empty();
  EXPECT_GT(asked, 30);
  for (const Question& question : fact_questions(set, 1))
    ASSERT_EQ(question.prompt.find('['), std::string::npos) << question.prompt;
}

TEST(FactFiles, ReadEntityQuestionsWithAndWithoutPatterns) {
  const fs::path facts = shared_file("facts/entity_questions.test.jsonl.zst"),
                 patterns = shared_file("facts/pararel.patterns.jsonl.zst");
  if (facts.empty()) GTEST_SKIP() << "../shared/data is absent";
  const FactSet alone = read_facts(facts, "", 2);
  EXPECT_GT(alone.facts.size(), 20000u);
  for (const Question& question : fact_questions(alone, 1)) ASSERT_TRUE(question.seen_wording);
  const FactSet worded = read_facts(facts, patterns, 2);
  EXPECT_EQ(worded.facts.size(), alone.facts.size());
  const auto questions = fact_questions(worded, 1);
  EXPECT_TRUE(std::any_of(questions.begin(), questions.end(), [](const Question& q) { return !q.seen_wording; }));
}

TEST(Questions, KnowHowTheirSentenceEnds) {
  const TemporaryFolder folder;
  write_file(folder.path() / "f.jsonl", "{\"relation\": \"r\", \"subject\": \"s\", \"answers\": [\"a\"]}\n");
  write_file(folder.path() / "p.jsonl",
             "{\"relation\": \"r\", \"pattern\": \"[X] is [Y]!\"}\n"
             "{\"relation\": \"r\", \"pattern\": \"[X] was [Y] .\", \"held_out\": true}\n");
  const FactSet set = read_facts(folder.path() / "f.jsonl", folder.path() / "p.jsonl", 2);
  for (const Question& question : fact_questions(set, 1)) EXPECT_EQ(question.ending, question.seen_wording ? "!" : ".");
}

}  // namespace
}  // namespace memlayers::data
