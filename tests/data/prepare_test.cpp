#include <algorithm>

#include "base/interrupt.h"
#include "data/question.h"
#include "data/shards/loader.h"
#include "data/shards/prepared_data.h"
#include "data/sources/iso_codes.h"
#include "support/data_fixture.h"

namespace memlayers::data {
namespace {

using base::IoError;
using base::UsageError;

/// Three relations of PARAREL's form with `count` facts each; the last pattern of a relation is held out.
void write_fact_files(const fs::path& folder, int count) {
  std::string facts, patterns;
  for (int r = 0; r < 3; ++r) {
    const std::string relation = "R" + std::to_string(r);
    for (const char* form : {"[X] has as ", "The part of [X] is ", "In [X] there is "}) {
      patterns += "{\"relation\":\"" + relation + "\",\"pattern\":\"" + form + relation + " [Y].\"}\n";
    }
    for (int i = 0; i < count; ++i) {
      facts += "{\"relation\":\"" + relation + "\",\"subject\":\"Subject" + std::to_string(i) +
               "\",\"object\":\"Answer" + std::to_string(100 * r + i) + "\"}\n";
    }
  }
  write_file(folder / "facts.jsonl", facts);
  write_file(folder / "patterns.jsonl", patterns);
}

PrepareSource fact_source(const fs::path& folder) {
  PrepareSource source = source_of(SourceKind::kFacts, folder / "facts.jsonl");
  source.patterns = (folder / "patterns.jsonl").string();
  source.facts_per_document = 4;
  return source;
}

int64_t occurrences(const std::string& text, const std::string& part) {
  int64_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Prepare, RendersEachFactOnceInEachTrainedWordingAndNeverInAHeldOutOne) {
  const TemporaryFolder folder;
  write_fact_files(folder.path(), 21);
  auto config = prepare_config(folder.path() / "out", {fact_source(folder.path())});
  config.validation_share = 0.1;
  const auto summary = prepare(config).summary;
  const std::string text = joined(read_documents(folder.path() / "out", "train"));
  for (int i = 0; i < 21; ++i) {
    for (int r = 0; r < 3; ++r) {
      const std::string subject = "Subject" + std::to_string(i),
                        answer = "R" + std::to_string(r) + " Answer" + std::to_string(100 * r + i) + ".";
      EXPECT_EQ(occurrences(text, subject + " has as " + answer), 1);
      EXPECT_EQ(occurrences(text, "The part of " + subject + " is " + answer), 1);
    }
  }
  EXPECT_FALSE(contains(text, "there is"));
  EXPECT_EQ(summary.at("facts").at("count"), 63);
  EXPECT_EQ(summary.at("facts").at("exposures_per_epoch"), 2.0);
  EXPECT_EQ(summary.at("sources")[0].at("relations").at("R1"), 21);
  const auto validation = read_documents(folder.path() / "out", "validation");
  EXPECT_EQ(occurrences(joined(validation), "there is"), 7);  // a tenth of the facts, in the held-out wording
  for (const Question& question : read_questions(folder.path() / "out" / kQuestionsFile)) {
    EXPECT_EQ(contains(question.prompt, "there is"), !question.seen_wording);
    EXPECT_EQ(contains(text, question.prompt), question.seen_wording);
  }
}

TEST(Prepare, NoDocumentHoldsAFactTwice) {
  const TemporaryFolder folder;
  write_fact_files(folder.path(), 3);
  prepare(prepare_config(folder.path() / "out", {fact_source(folder.path())}));
  for (const std::string& document : read_documents(folder.path() / "out", "train")) {
    for (int answer : {0, 1, 2, 100, 101, 102, 200, 201, 202}) {
      EXPECT_LE(occurrences(document, "Answer" + std::to_string(answer) + "."), 1) << document;
    }
  }
}

TEST(Prepare, GivesTheSameBytesForTheSameSeedAndOthersForAnother) {
  const TemporaryFolder folder;
  write_fact_files(folder.path(), 21);
  auto config = prepare_config(folder.path() / "a", {fact_source(folder.path()), source_of(SourceKind::kBiographies)});
  config.sources[1].people = 20;
  config.tokenizer = {TokenizerKind::kSentencePiece, 400, "bpe", 100, ""};
  prepare(config);
  config.output = (folder.path() / "b").string();
  prepare(config);
  for (const char* name :
       {"train-00000.bin", "train-00000.idx", "validation-00000.bin", "questions.jsonl", "tokenizer.model"}) {
    EXPECT_EQ(base::read_text(folder.path() / "a" / name), base::read_text(folder.path() / "b" / name)) << name;
  }
  config.output = (folder.path() / "c").string();
  config.seed = 2;
  prepare(config);
  EXPECT_NE(base::read_text(folder.path() / "a" / "train-00000.bin"),
            base::read_text(folder.path() / "c" / "train-00000.bin"));
}

TEST(Prepare, KeepsIsoCodesHeldOutWordingsOutOfTheTrainingShards) {
  if (!fs::exists(kIsoCodesFolder)) GTEST_SKIP() << "Debian's package iso-codes is not installed";
  const TemporaryFolder folder;
  auto config = prepare_config(folder.path() / "out", {source_of(SourceKind::kIsoCodes)});
  config.sources[0].limit_facts = 600;
  config.documents_per_shard = 100;
  config.tokenizer = {TokenizerKind::kSentencePiece, 1000, "bpe", 200000, ""};
  const auto summary = prepare(config).summary;
  EXPECT_EQ(summary.at("facts").at("exposures_per_epoch"), 6.0);
  EXPECT_EQ(summary.at("train").at("shards"), 5);  // 600 facts, 6 wordings, 8 a document: 450 documents
  const std::string text = joined(read_documents(folder.path() / "out", "train"));
  const auto questions = read_questions(folder.path() / "out" / kQuestionsFile);
  EXPECT_EQ(questions.size(), 1800u);
  for (const Question& question : questions) {
    EXPECT_EQ(contains(text, question.prompt + " " + question.answers[0] + "."), question.seen_wording)
        << question.prompt;
  }
}

TEST(Prepare, SmallerLimitsAskForASubsetOfTheFacts) {
  const TemporaryFolder folder;
  write_fact_files(folder.path(), 40);
  std::set<std::string> larger;
  for (const int64_t limit : {120, 60, 12}) {
    auto config = prepare_config(folder.path() / std::to_string(limit), {fact_source(folder.path())});
    config.sources[0].limit_facts = limit;
    prepare(config);
    std::set<std::string> facts;
    for (const Question& q : read_questions(fs::path(config.output) / kQuestionsFile))
      facts.insert(q.relation + q.subject);
    EXPECT_EQ(static_cast<int64_t>(facts.size()), limit);
    if (limit < 120) {
      EXPECT_TRUE(std::includes(larger.begin(), larger.end(), facts.begin(), facts.end()));
    }
    larger = facts;
  }
}

TEST(Prepare, ReadsJsonlAndTextPlainAndPacked) {
  const TemporaryFolder folder;
  std::string jsonl;
  for (int i = 0; i < 10; ++i) jsonl += "{\"body\": \"Document " + std::to_string(i) + "\\nends.\"}\n";
  write_file(folder.path() / "a.jsonl.gz", gzip(jsonl));
  write_file(folder.path() / "b.txt.zst", zstd("first line\nsecond line\n\n\nanother\n"));
  auto config = prepare_config(folder.path() / "out", {source_of(SourceKind::kJsonl, folder.path() / "a.jsonl.gz"),
                                                       source_of(SourceKind::kText, folder.path() / "b.txt.zst")});
  config.validation_share = 0;
  config.sources[0].text_field = "body";
  config.sources[0].limit_documents = 2;
  const std::vector<std::string> json = {"Document 0\nends.", "Document 1\nends."};
  const std::map<TextDocuments, std::vector<std::string>> forms = {
      {TextDocuments::kFile, {"first line\nsecond line\n\n\nanother"}},
      {TextDocuments::kParagraphs, {"first line\nsecond line", "another"}},
      {TextDocuments::kLines, {"first line", "second line", "another"}}};
  for (const auto& [form, documents] : forms) {
    config.sources[1].documents = form;
    prepare(config, true);
    auto expected = json;
    expected.insert(expected.end(), documents.begin(), documents.end());
    EXPECT_EQ(read_documents(folder.path() / "out", "train"), expected);
  }
}

TEST(Prepare, EncodesADocumentTooLongForOnePartAsIfItWereOne) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 40000; ++i) text += "Word" + std::to_string(i % 97) + (i % 10 == 9 ? "\n" : " ");
  text.pop_back();
  write_file(folder.path() / "long.txt", text);
  auto config = prepare_config(folder.path() / "out", {source_of(SourceKind::kText, folder.path() / "long.txt")});
  config.tokenizer = {TokenizerKind::kSentencePiece, 400, "bpe", 1000, ""};
  prepare(config);
  const auto documents = read_documents(folder.path() / "out", "train");
  ASSERT_EQ(documents.size(), 1u);
  EXPECT_TRUE(documents[0] == text);
}

TEST(Prepare, SplitsDocumentsByTheirShare) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += "line" + std::to_string(i) + "\n";
  write_file(folder.path() / "a.txt", lines);
  auto config = prepare_config(folder.path() / "out", {source_of(SourceKind::kText, folder.path() / "a.txt")});
  config.sources[0].documents = TextDocuments::kLines;
  config.validation_share = 0.2;
  prepare(config);
  const auto train = read_documents(folder.path() / "out", "train"),
             validation = read_documents(folder.path() / "out", "validation");
  EXPECT_EQ(train.size() + validation.size(), 2000u);
  EXPECT_NEAR(static_cast<double>(validation.size()), 400, 60);
  const std::set<std::string> trained(train.begin(), train.end());
  for (const std::string& line : validation) EXPECT_FALSE(trained.contains(line));
}

TEST(Prepare, WritesBiographiesWithTheirCopiesAndHeldOutWordings) {
  const TemporaryFolder folder;
  auto config = prepare_config(folder.path() / "out", {source_of(SourceKind::kBiographies)});
  config.sources[0].people = 30;
  config.sources[0].copies = 4;
  config.validation_share = 0.1;
  const auto summary = prepare(config).summary;
  EXPECT_EQ(summary.at("train").at("documents"), 120);
  EXPECT_EQ(summary.at("validation").at("documents"), 3);
  EXPECT_EQ(summary.at("facts").at("count"), 180);
  EXPECT_EQ(summary.at("facts").at("exposures_per_epoch"), 4.0);
  const auto documents = read_documents(folder.path() / "out", "train");
  EXPECT_GT(std::set<std::string>(documents.begin(), documents.end()).size(), 115u);  // copies are worded anew
  const std::string text = joined(documents);
  for (const Question& question : read_questions(folder.path() / "out" / kQuestionsFile)) {
    EXPECT_EQ(occurrences(text, question.prompt + " " + question.answers[0] + "."),
              question.seen_wording ? occurrences(text, question.prompt + " " + question.answers[0]) : 0);
    EXPECT_GE(occurrences(text, question.subject), 24);
  }
}

TEST(Prepare, QuestionPairsAreTrainedOrOnlyAsked) {
  const TemporaryFolder folder;
  write_file(
      folder.path() / "q.jsonl",
      "{\"question\": \"Who?\", \"answers\": [\"I\", \"Me\"]}\n{\"question\": \"What?\", \"answer\": \"That\"}\n");
  write_file(folder.path() / "t.txt", "some text\n");
  auto config = prepare_config(folder.path() / "out", {source_of(SourceKind::kText, folder.path() / "t.txt"),
                                                       source_of(SourceKind::kQuestions, folder.path() / "q.jsonl")});
  prepare(config);
  EXPECT_TRUE(contains(joined(read_documents(folder.path() / "out", "train")), "Question: Who? Answer: I."));
  auto questions = read_questions(folder.path() / "out" / kQuestionsFile);
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_EQ(questions[0].prompt, "Question: Who? Answer:");
  config.sources[1].use = SourceUse::kAsk;
  prepare(config, true);
  EXPECT_EQ(joined(read_documents(folder.path() / "out", "train")), "some text\n");
  EXPECT_EQ(read_questions(folder.path() / "out" / kQuestionsFile).size(), 2u);
  config.sources[1].use = SourceUse::kTrain;
  prepare(config, true);
  EXPECT_FALSE(fs::exists(folder.path() / "out" / kQuestionsFile));
  config.sources[1].use = SourceUse::kBoth;
  config.max_questions = 1;
  prepare(config, true);
  EXPECT_EQ(read_questions(folder.path() / "out" / kQuestionsFile).size(), 1u);
}

TEST(Prepare, ASecondCallReusesTheFolderAndAnotherConfigurationNeedsForce) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a.txt", "text\n");
  auto config = prepare_config(folder.path() / "out", {source_of(SourceKind::kText, folder.path() / "a.txt")});
  EXPECT_FALSE(prepare(config).reused);
  const auto time = fs::last_write_time(folder.path() / "out" / "train-00000.bin");
  EXPECT_TRUE(prepare(config).reused);
  EXPECT_EQ(fs::last_write_time(folder.path() / "out" / "train-00000.bin"), time);
  config.seed = 5;
  EXPECT_TRUE(contains(error_of<UsageError>([&] { prepare(config); }), "--force"));
  EXPECT_FALSE(prepare(config, true).reused);
  write_file(folder.path() / "a.txt", "longer text\n");
  EXPECT_TRUE(contains(error_of<UsageError>([&] { prepare(config); }), "inputs that have changed"));
  config.output = folder.path().string();
  EXPECT_TRUE(contains(error_of<UsageError>([&] { prepare(config, true); }), "was not written by prepare"));
  EXPECT_TRUE(fs::exists(folder.path() / "a.txt"));
}

TEST(Prepare, LeavesNothingHalfWrittenOnAnInterruptOrDamage) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a.txt", "one\ntwo\n");
  write_file(folder.path() / "b.jsonl", "{\"text\": \"one\"}\n{\"text\": \"cut\n");
  auto config = prepare_config(folder.path() / "out", {source_of(SourceKind::kText, folder.path() / "a.txt")});
  base::set_interrupted(true);
  const std::string interrupted = error_of<base::Error>([&] { prepare(config); });
  base::set_interrupted(false);
  EXPECT_TRUE(contains(interrupted, "interrupted"));
  config.sources.push_back(source_of(SourceKind::kJsonl, folder.path() / "b.jsonl"));
  EXPECT_TRUE(contains(error_of<IoError>([&] { prepare(config); }), "b.jsonl:2: "));
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder.path())) ++entries;
  EXPECT_EQ(entries, 2u);
}

TEST(Prepare, ReportsInvalidUtf8AndTheShareThatLongDocumentsWouldLose) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a.txt", std::string(300, 'x') + "\xFF\n");
  const auto config = prepare_config(folder.path() / "out", {source_of(SourceKind::kText, folder.path() / "a.txt")});
  ::testing::internal::CaptureStderr();
  const auto summary = prepare(config).summary;
  EXPECT_TRUE(contains(::testing::internal::GetCapturedStderr(), "a.txt: 1 invalid UTF-8"));
  EXPECT_EQ(summary.at("sources")[0].at("invalid_utf8_replaced"), 1);
  const auto& train = summary.at("train");
  EXPECT_EQ(train.at("tokens"), 305);  // 300 bytes, three of U+FFFD, begin and end
  EXPECT_DOUBLE_EQ(train.at("cropped_share_at_least").at("128").get<double>(), (305.0 - 129) / 305);
  EXPECT_EQ(train.at("cropped_share_at_least").at("512"), 0.0);
}

TEST(Prepare, FeedsTheLoader) {
  const TemporaryFolder folder;
  write_fact_files(folder.path(), 21);
  const auto config = prepare_config(folder.path() / "out", {fact_source(folder.path())});
  const auto summary = prepare(config).summary;
  LoaderConfig loader_config;
  loader_config.sources = {{config.output, 1.0}};
  loader_config.seq_len = 32;
  for (const char* split : {"train", "validation"}) {
    Loader loader(loader_config, split);
    EXPECT_EQ(loader.next().size(), 16u * 33);
    EXPECT_EQ(loader.epoch_tokens(), summary.at(split).at("tokens").get<int64_t>());
    EXPECT_EQ(loader.vocab_size(), 259);
    EXPECT_EQ(text::load_tokenizer(loader.tokenizer_folder())->kind(), "bytes");
  }
}

TEST(PrepareConfig, RefusesWhatWouldHaveNoEffectOrIsOutOfRange) {
  const auto reason = [](const std::string& yaml) {
    return error_of<UsageError>([&] { base::parse_config<PrepareConfig>(yaml, "test.yaml"); });
  };
  EXPECT_EQ(reason("output: o\nsources: [{kind: iso_codes, limit_facts: 9}]\n"), "");
  EXPECT_TRUE(contains(reason("output: o\nsources: [{kind: iso_codes, text_field: body}]\n"),
                       "text_field has no effect on a source of kind iso_codes"));
  EXPECT_TRUE(contains(reason("output: o\nsources: [{kind: jsonl}]\n"), "path is missing"));
  EXPECT_TRUE(contains(reason("output: o\nsources: []\n"), "nothing to prepare"));
  EXPECT_TRUE(contains(reason("sources: [{kind: iso_codes}]\n"), "output is missing"));
  EXPECT_TRUE(contains(reason("output: o\nvalidation_share: 1\nsources: [{kind: iso_codes}]\n"), "validation_share"));
  EXPECT_TRUE(contains(reason("output: o\ntokenizer: {kind: path}\nsources: [{kind: iso_codes}]\n"),
                       "tokenizer.path is missing"));
  EXPECT_TRUE(contains(reason("output: o\nsources: [{kind: iso_code}]\n"), "iso_codes"));
}

}  // namespace
}  // namespace memlayers::data
