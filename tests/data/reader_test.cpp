#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "data/question.h"
#include "data/sources/json_lines.h"
#include "support/data_fixture.h"

namespace memlayers::data {
namespace {

using base::IoError;

std::vector<std::string> read_all_lines(const fs::path& path, size_t buffer_bytes) {
  LineReader reader(path, buffer_bytes);
  std::vector<std::string> lines;
  std::string line;
  while (reader.next(line)) lines.push_back(line);
  EXPECT_EQ(reader.line_number(), static_cast<int64_t>(lines.size()));
  EXPECT_EQ(reader.bytes_read(), fs::file_size(path));
  return lines;
}

std::string some_text() {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "line " + std::to_string(i * i) + std::string(i % 40, 'x') + "\n";
  return text;
}

TEST(LineReader, GivesTheSameLinesPlainAndPackedWithBuffersOfAnySize) {
  const TemporaryFolder folder;
  const std::string text = some_text();
  write_file(folder.path() / "a.txt", text);
  write_file(folder.path() / "a.gz", gzip(text));
  write_file(folder.path() / "a.zst", zstd(text));
  const auto expected = read_all_lines(folder.path() / "a.txt", size_t{1} << 18);
  ASSERT_EQ(expected.size(), 500u);
  EXPECT_EQ(expected[3], "line 9xxx");
  for (const char* name : {"a.txt", "a.gz", "a.zst"}) {
    for (const size_t buffer : {16, 17, 64, 4096})
      EXPECT_EQ(read_all_lines(folder.path() / name, buffer), expected) << name;
  }
}

TEST(LineReader, ReadsSeveralPackedStreamsOneAfterAnother) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a.gz", gzip("one\ntw") + gzip("") + gzip("o\n"));
  write_file(folder.path() / "a.zst", zstd("one\ntw") + zstd("") + zstd("o\n"));
  for (const char* name : {"a.gz", "a.zst"}) {
    EXPECT_EQ(read_all_lines(folder.path() / name, 16), (std::vector<std::string>{"one", "two"})) << name;
  }
}

TEST(LineReader, RefusesAPackedFileCutAtAnyByte) {
  const TemporaryFolder folder;
  const std::string text = some_text().substr(0, 600);
  for (const auto& [name, packed] : {std::pair{"cut.gz", gzip(text)}, std::pair{"cut.zst", zstd(text)}}) {
    const fs::path file = folder.path() / name;
    for (size_t size = 0; size < packed.size(); ++size) {
      write_file(file, packed.substr(0, size));
      const std::string error = error_of<IoError>([&] { read_all_lines(file, 64); });
      EXPECT_TRUE(contains(error, name)) << size << ": " << error;
    }
    write_file(file, packed.substr(0, packed.size() - 1));
    EXPECT_TRUE(contains(error_of<IoError>([&] { read_all_lines(file, 64); }), "truncated")) << name;
  }
}

TEST(LineReader, RefusesDamageAndFilesThatAreNotWhatTheirNameSays) {
  const TemporaryFolder folder;
  std::string packed = gzip(some_text());
  packed[packed.size() / 2] = static_cast<char>(packed[packed.size() / 2] ^ 0x55);
  write_file(folder.path() / "a.gz", packed);
  EXPECT_TRUE(contains(error_of<IoError>([&] { read_all_lines(folder.path() / "a.gz", 64); }), "damaged gzip"));
  write_file(folder.path() / "b.gz", "plain text\n");
  EXPECT_TRUE(contains(error_of<IoError>([&] { LineReader reader(folder.path() / "b.gz"); }), "not a gzip file"));
  write_file(folder.path() / "b.zst", "plain text\n");
  EXPECT_TRUE(contains(error_of<IoError>([&] { LineReader reader(folder.path() / "b.zst"); }), "not a zstd file"));
  EXPECT_TRUE(contains(error_of<IoError>([&] { LineReader reader(folder.path()); }), "is a folder"));
  EXPECT_TRUE(contains(error_of<IoError>([&] { LineReader reader(folder.path() / "none"); }), "No such file"));
}

TEST(LineReader, DropsByteOrderMarkAndCarriageReturnsAndKeepsALastLineWithoutEnd) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a", "\xEF\xBB\xBFone\r\n\r\nthree");
  EXPECT_EQ(read_all_lines(folder.path() / "a", 16), (std::vector<std::string>{"one", "", "three"}));
}

TEST(LineReader, DropsTheMarksOfFilesPutTogetherAndNoOther) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a", "\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo\nthr\xEF\xBB\xBF\x65\x65 \n");
  EXPECT_EQ(read_all_lines(folder.path() / "a", 16),
            (std::vector<std::string>{"one", "two", "thr\xEF\xBB\xBF\x65\x65 "}));
}

TEST(LineReader, ReplacesAndCountsInvalidUtf8) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a", "good \xC3\xA9\nbad \xC3 and \xED\xA0\x80\n");
  LineReader reader(folder.path() / "a");
  std::string line;
  ASSERT_TRUE(reader.next(line));
  EXPECT_EQ(line, "good \xC3\xA9");
  ASSERT_TRUE(reader.next(line));
  EXPECT_EQ(reader.replaced(), 4);  // the cut pair is one; of the surrogate each byte is one
  EXPECT_EQ(line, "bad \xEF\xBF\xBD and \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Utf8, RepairFollowsUnicodesRecommendedPractice) {
  // The examples of the Unicode standard, section 3.9, table 3-8 and following.
  const std::vector<std::pair<std::string, size_t>> cases = {{"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 8},
                                                             {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", 8},
                                                             {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", 7},
                                                             {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 4}};
  for (auto [text, replaced] : cases) {
    EXPECT_EQ(base::repair_utf8(text), replaced);
    EXPECT_EQ(base::repair_utf8(text), 0u);
  }
}

TEST(JsonLines, ReadsFieldsAndSkipsBlankLines) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a.jsonl",
             "{\"text\": \"a\\n\\u00e9\", \"n\": 3, \"yes\": true, \"many\": [\"x\", \"y\"]}\n\n  \n{\"text\": \"b\"}");
  JsonLines lines(folder.path() / "a.jsonl", 16);
  ASSERT_TRUE(lines.next());
  EXPECT_EQ(lines.text("text"), "a\n\xC3\xA9");
  EXPECT_EQ(lines.optional_integer("n"), 3);
  EXPECT_EQ(lines.optional_flag("yes"), true);
  EXPECT_EQ(lines.texts({"none", "many"}), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(lines.optional_text("none"), std::nullopt);
  ASSERT_TRUE(lines.next());
  EXPECT_EQ(lines.lines().line_number(), 4);
  EXPECT_EQ(lines.text("text"), "b");
  EXPECT_FALSE(lines.next());
}

TEST(JsonLines, NamesFileAndLineOfEverythingMalformed) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "bad.jsonl";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"text\": \"cut", "not valid JSON"},
      {"{\"text\": \"a\"} trailing", "not valid JSON"},
      {"{\"text\": \"\\ud80\"}", "not valid JSON"},
      {"[1]", "expected a JSON object"},
      {"{\"body\": \"a\", \"title\": \"b\"}", "no field \"text\" (there are: body, title)"},
      {"{\"text\": 3}", "field \"text\" is not a string"}};
  for (const auto& [line, reason] : cases) {
    write_file(file, "{\"text\": \"fine\"}\n" + line + "\n");
    JsonLines lines(file);
    ASSERT_TRUE(lines.next());
    const std::string error = error_of<IoError>([&] {
      lines.next();
      lines.text("text");
    });
    EXPECT_TRUE(contains(error, "bad.jsonl:2: ")) << error;
    EXPECT_TRUE(contains(error, reason)) << error;
  }
}

TEST(Questions, ReadBackAsWritten) {
  const TemporaryFolder folder;
  const std::vector<Question> questions = {{0, "r", "Ünal \"X\"", true, "The code of Ünal is", {"A\nB", "c"}},
                                           {7, "s", "t", false, "p", {"a"}}};
  write_questions(folder.path() / "q.jsonl", questions);
  const auto read = read_questions(folder.path() / "q.jsonl");
  ASSERT_EQ(read.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read[i].id, questions[i].id);
    EXPECT_EQ(read[i].relation, questions[i].relation);
    EXPECT_EQ(read[i].subject, questions[i].subject);
    EXPECT_EQ(read[i].seen_wording, questions[i].seen_wording);
    EXPECT_EQ(read[i].prompt, questions[i].prompt);
    EXPECT_EQ(read[i].answers, questions[i].answers);
  }
  write_file(folder.path() / "bad.jsonl", "{\"prompt\": \"p\", \"answers\": []}\n");
  EXPECT_TRUE(
      contains(error_of<IoError>([&] { read_questions(folder.path() / "bad.jsonl"); }), "bad.jsonl:1: no answers"));
}

TEST(Questions, ABrokenLineIsNamedAndTheOthersAreRead) {
  const TemporaryFolder folder;
  write_file(folder.path() / "q.jsonl",
             "{\"prompt\": \"first\", \"answers\": [\"a\"]}\n\n{\"prompt\": \"p\", \"answ\n[1]\n"
             "{\"id\": 9, \"prompt\": \" \", \"answers\": [\"a\"]}\n{\"id\": 10, \"prompt\": \"p\"}\n"
             "{\"id\": 0, \"prompt\": \"p\", \"answers\": [\"a\"]}\n{\"id\": 11, \"prompt\": 3, \"answers\": [\"a\"]}\n"
             "{\"id\": 12, \"prompt\": \"p\", \"answers\": [\"a\", \"\"]}\n"
             "{\"prompt\": \"last\", \"answers\": [\"a\"], \"ending\": \"!\"}\n");
  const QuestionList list = read_question_list(folder.path() / "q.jsonl");
  ASSERT_EQ(list.questions.size(), 2u);
  EXPECT_EQ(list.questions[0].id, 0);
  EXPECT_EQ(list.questions[0].ending, ".");
  EXPECT_EQ(list.questions[1].id, 8) << "its number in the file, whatever is broken before it";
  EXPECT_EQ(list.questions[1].line, 10);
  EXPECT_EQ(list.questions[1].ending, "!");
  const std::vector<std::string> reasons = {":3: not valid JSON",
                                            ":4: expected a JSON object",
                                            ":5: the prompt is empty (id 9)",
                                            ":6: no answers (id 10)",
                                            ":7: line 1 has the id 0 already",
                                            ":8: field",
                                            ":9: an answer is empty (id 12)"};
  ASSERT_EQ(list.broken.size(), reasons.size());
  for (size_t i = 0; i < reasons.size(); ++i)
    EXPECT_TRUE(contains(list.broken[i].what(), reasons[i])) << list.broken[i].what();
}

}  // namespace
}  // namespace memlayers::data
