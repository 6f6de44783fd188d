// What comes in: pipes, packed files of every kind, files that are not text, JSON of every kind, names.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <thread>

#include "base/input_file.h"
#include "base/interrupt.h"
#include "data/question.h"
#include "data/sources/document_source.h"
#include "data/sources/json_lines.h"
#include "data/sources/tame_json.h"
#include "support/data_fixture.h"

namespace memlayers::data {
namespace {

using base::IoError;
using namespace std::string_literals;

std::vector<std::string> lines_of(const fs::path& path, size_t buffer_bytes = 64) {
  LineReader reader(path, buffer_bytes);
  std::vector<std::string> lines;
  for (std::string line; reader.next(line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> lines_of_bytes(const std::string& bytes, const std::string& name = "data") {
  const TemporaryFolder folder;
  write_file(folder.path() / name, bytes);
  return lines_of(folder.path() / name);
}

std::string refusal_of(const std::string& bytes, const std::string& name = "data") {
  return error_of<IoError>([&] { lines_of_bytes(bytes, name); });
}

std::string text_of(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) text += "The quiet harbor number " + std::to_string(i) + " waits near the tower.\n";
  return text;
}

/// A FIFO in a folder of its own and a thread that writes it once.
class Fifo {
 public:
  explicit Fifo(std::string bytes) : path_(folder_.path() / "fifo") {
    if (::mkfifo(path_.c_str(), 0600) != 0) throw std::runtime_error("mkfifo failed");
    writer_ = std::thread([path = path_, bytes = std::move(bytes)] { write_file(path, bytes); });
  }
  ~Fifo() { writer_.join(); }
  const fs::path& path() const { return path_; }

 private:
  TemporaryFolder folder_;
  fs::path path_;
  std::thread writer_;
};

TEST(Pipes, AreReadOnceAndGivenAgainAsOftenAsTheyAreNamed) {
  const std::string text = text_of(5000);  // more than a pipe holds
  const Fifo fifo(text);
  const auto expected = lines_of_bytes(text);
  EXPECT_EQ(lines_of(fifo.path()), expected);
  EXPECT_EQ(lines_of(fifo.path()), expected);
  EXPECT_EQ(base::read_text(fifo.path()), text);
  EXPECT_TRUE(base::is_read_once(fifo.path()));
}

TEST(Pipes, PreparedDataAreThoseOfAFile) {
  const TemporaryFolder folder;
  const std::string text = text_of(3000);
  const Fifo fifo(gzip(text));
  write_file(folder.path() / "file", text);
  PrepareConfig config;
  config.tokenizer.vocab_size = 300;  // trained: a pass more
  config.sources.resize(1);
  config.sources[0].kind = SourceKind::kText;
  config.sources[0].documents = TextDocuments::kLines;
  for (const fs::path& path : {folder.path() / "file", fifo.path()}) {
    config.sources[0].path = path;
    config.output = folder.path() / ("of_" + path.filename().string());
    prepare(config);
  }
  EXPECT_EQ(base::read_text(folder.path() / "of_file" / "train-00000.bin"),
            base::read_text(folder.path() / "of_fifo" / "train-00000.bin"));
  EXPECT_TRUE(contains(error_of<base::UsageError>([&] { prepare(config); }), "a pipe's always may have"));
}

TEST(Pipes, FactsAndQuestionsComeThroughThem) {
  const Fifo questions("{\"prompt\": \"p\", \"answers\": [\"a\"]}\n"),
      facts("{\"question\": \"q\", \"answer\": \"a\"}\n");
  EXPECT_EQ(read_questions(questions.path()).size(), 1u);
  PrepareSource source;
  source.kind = SourceKind::kQuestions;
  source.path = facts.path();
  EXPECT_EQ(open_source(source, {})->questions().size(), 1u);
}

TEST(Pipes, AWaitForAWriterEndsWithASignal) {
  const TemporaryFolder folder;
  const fs::path fifo = folder.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::thread signal([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    base::set_interrupted(true);
  });
  const std::string error = error_of<base::Error>([&] { lines_of(fifo); });
  signal.join();
  base::set_interrupted(false);
  EXPECT_TRUE(contains(error, "fifo: interrupted")) << error;
}

TEST(Pipes, DevicesWithoutEndAreRefusedAndTheEmptyOneIsEmpty) {
  EXPECT_TRUE(contains(error_of<IoError>([] { lines_of("/dev/zero"); }), "is a device"));
  EXPECT_TRUE(lines_of("/dev/null").empty());
  EXPECT_TRUE(contains(error_of<IoError>([] { lines_of("-"); }), "/dev/stdin"));
}

std::string utf16(const std::string& ascii, bool big, const std::string& mark = "") {
  std::string wide = mark;
  for (const char c : ascii) wide += big ? std::string{'\0', c} : std::string{c, '\0'};
  return wide;
}

std::string utf32(const std::string& ascii, bool big) {
  std::string wide;
  for (const char c : ascii) wide += big ? "\0\0\0"s + c : c + "\0\0\0"s;
  return wide;
}

/// One member of a tar archive as `tar` writes it; without "ustar" as old ones did.
std::string tar(const std::string& text, bool old) {
  std::string block(512, '\0');
  block.replace(0, 5, "a.txt");
  block.replace(100, 7, "0000644");
  block.replace(124, 11, "00000000144");
  if (!old) block.replace(257, 8, "ustar  \0"s);
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  std::array<char, 8> digits;
  std::snprintf(digits.data(), digits.size(), "%06o", sum);
  block.replace(148, 7, std::string(digits.data(), 6) + '\0');
  return block + text;
}

TEST(NotText, IsRefusedByWhatItIsWithWhatToDo) {
  const std::string text = text_of(40);
  const std::string cyrillic16 = [] {  // "да " in UTF-16LE, no mark
    std::string wide;
    for (int i = 0; i < 100; ++i) wide += "\x34\x04\x30\x04\x20\0"s;
    return wide;
  }();
  const std::vector<std::array<std::string, 3>> cases = {
      {utf16(text, false, "\xFF\xFE"), "UTF-16", "iconv -f UTF-16 "},
      {utf16(text, true, "\xFE\xFF"), "UTF-16", "iconv -f UTF-16 "},
      {utf16(text, false), "UTF-16LE", "iconv -f UTF-16LE"},
      {utf16(text, true), "UTF-16BE", "iconv -f UTF-16BE"},
      {cyrillic16, "UTF-16LE", "iconv -f UTF-16LE"},
      {"\xFF\xFE\0\0"s + utf32(text, false), "UTF-32", "iconv -f UTF-32 "},
      {utf32(text, false), "UTF-32LE", "iconv -f UTF-32LE"},
      {utf32(text, true), "UTF-32BE", "iconv -f UTF-32BE"},
      {"\xFD"
       "7zXZ\0\0\4"s,
       "xz", "xz -dc"},
      {"BZh91AY&SY\x01\x02", "bzip2", "bzip2 -dc"},
      {"\x04\x22\x4D\x18\x64\x40", "lz4", "lz4 -dc"},
      {"PK\3\4\x14\0\0\0"s, "zip", "unzip"},
      {"7z\xBC\xAF\x27\x1C\0\4"s, "7z", "7z x"},
      {"Rar!\x1A\7\1\0"s, "rar", "unrar"},
      {tar(text, false), "tar", "tar -xf"},
      {tar(text, true), "tar", "tar -xf"},
      {"PAR1\x15\4\x15\0"s, "Parquet", "JSON lines"},
      {"ARROW1\0\0"s, "Arrow", "JSON lines"},
      {"SQLite format 3\0"s, "SQLite", "JSON lines"},
      {"%PDF-1.7\n", "PDF", "pdftotext"},
      {"\x89PNG\r\n\x1A\n", "PNG", ""},
      {"\xFF\xD8\xFF\xE0", "JPEG", ""},
      {"\x7F"
       "ELF\2\1\1\0"s,
       "ELF", ""},
      {std::string(5000, '\0'), "zeros", ""},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n", "Git LFS pointer", "git lfs pull"},
      {"/annex/objects/SHA256E-s1--ab.jsonl\n", "git-annex", "git annex get"},
      {"\x80\4\x95\x10\0\0\0\0\0\0\0]"s, "pickle", ""},
      {"\x40\1\0\0\0\0\0\0{\"a\""s, "safetensors", ""},
      {"\1\2\3\4\5\6\7\x0E\x0F\x10 abc"s, "binary data", ""}};
  for (const auto& [bytes, kind, advice] : cases) {
    for (const std::string& packed : {bytes, gzip(bytes), zstd(bytes)}) {
      const std::string error = refusal_of(packed);
      EXPECT_TRUE(contains(error, "is not text but ")) << kind << ": " << error;
      EXPECT_TRUE(contains(error, kind)) << kind << ": " << error;
      EXPECT_TRUE(contains(error, advice)) << kind << ": " << error;
      EXPECT_EQ(contains(error, " inside "), packed != bytes) << error;
    }
  }
  EXPECT_TRUE(contains(refusal_of(gzip(gzip(text))), "packed with gzip inside gzip"));
  EXPECT_TRUE(contains(refusal_of("\xFD"
                                  "7zXZ\0\0\4"s,
                                  "a.gz"),
                       "packed with xz"));
  EXPECT_TRUE(
      contains(refusal_of(text_of(200) + std::string(4096, '\0') + "\n"), "data:201: holds a run of zero bytes"));
}

TEST(NotText, TextPassesHoweverOddItIs) {
  const std::vector<std::string> texts = {
      "",
      "a",
      "\n",
      "BZh is no block of bzip2\n",
      "PAR1 and ORC and GGUF\n",
      "ORC\n",
      "ID3 tags\n",
      "GGUF\n",
      "ID3\n",
      "070701 is a number\n",
      "abcdftyp\n",
      "MM\n",
      "a form\fa page\b\x1B[1mbold\x1B[0m\n",
      "one zero \0 in a long line of text, which is odd but no reason to refuse it\n"s,
      "une ann\xE9"
      "e \xE0 No\xEBl\n",
      std::string(200, '\xE9') + "\n",  // Latin-1
      "\u0434\u0430 \u65E5\u672C\u8A9E \U0001F600\n",
      "{\"text\": \"a\"}\n",
      "]\n",
      "version https://example.com\n"};
  for (const std::string& text : texts) {
    EXPECT_EQ(refusal_of(text), "") << text;
    EXPECT_EQ(refusal_of(gzip(text)), "") << text;
  }
}

std::string skippable(const std::string& bytes, char kind = '\x50') {
  std::string frame = kind + "\x2A\x4D\x18"s;
  for (int shift = 0; shift < 32; shift += 8) frame += static_cast<char>(bytes.size() >> shift & 255);
  return frame + bytes;
}

std::string zstd_with_window(const std::string& text, int window_log) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  ZSTD_outBuffer out{packed.data(), packed.size(), 0};
  ZSTD_inBuffer half{text.data(), text.size() / 2, 0}, rest{text.data(), text.size(), text.size() / 2};
  ZSTD_compressStream2(context, &out, &half, ZSTD_e_flush);  // so that the size is not known when the header is written
  ZSTD_compressStream2(context, &out, &rest, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  packed.resize(out.pos);
  return packed;
}

TEST(Packed, EveryFormOfZstdIsRead) {
  const std::string text = text_of(100), one = zstd(text.substr(0, 1001)), two = zstd(text.substr(1001));
  const auto expected = lines_of_bytes(text);
  for (const std::string& name : {"data"s, "data.zst"s, "data.txt"s}) {
    for (const std::string& packed :
         {one + two, skippable("abcd") + one + two, one + skippable("") + two, one + two + skippable("tail", '\x5F'),
          skippable("\0\1\2\3"s) + skippable(std::string(300, 'x')) + one + zstd("") + two + zstd(""),
          zstd_with_window(text, 28), zstd_with_window(text, 10)}) {
      EXPECT_EQ(lines_of_bytes(packed, name), expected) << name;
    }
  }
  EXPECT_TRUE(lines_of_bytes(zstd("")).empty());
  EXPECT_TRUE(lines_of_bytes(skippable("only")).empty());
  for (const std::string& tail : {"x"s, "tail"s, "\0\0\0\0"s, text})
    EXPECT_TRUE(contains(refusal_of(one + tail), "zstd stream")) << tail;
}

TEST(Packed, AZstdFrameThatNeedsADictionaryIsRefusedByName) {
  std::string packed = zstd(text_of(3));
  const unsigned char header = static_cast<unsigned char>(packed[4]);
  packed[4] = static_cast<char>(header | 1);  // one byte of dictionary number follows
  packed.insert((header & 0x20) != 0 ? 5 : 6, "\x07");
  EXPECT_TRUE(contains(refusal_of(packed), "dictionary"));
}

TEST(Packed, EveryFormOfGzipIsRead) {
  const std::string text = text_of(100), one = gzip(text.substr(0, 1001)), two = gzip(text.substr(1001));
  const auto expected = lines_of_bytes(text);
  for (const std::string& name : {"data"s, "data.gz"s, "data.txt"s}) {
    for (const std::string& packed : {one + two, one + two + std::string(512, '\0'), one + std::string(7, '\0') + two,
                                      gzip("") + one + gzip("") + two}) {
      EXPECT_EQ(lines_of_bytes(packed, name), expected) << name;
    }
  }
  for (const std::string& tail : {"x"s, "tail\n"s, "\0\0x"s, "\x1F"s, "\x1F\x8B"s})
    EXPECT_TRUE(contains(refusal_of(one + tail), "gzip stream")) << tail;
}

TEST(Json, FieldsThatAreNotReadHoldWhatPythonReads) {
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  for (const std::string& value : {"123456789012345678901234567890"s, "-123456789012345678901234567890"s, "1e400"s,
                                   "-1E+400"s, "NaN"s, "Infinity"s, "-Infinity"s, "[1, NaN, {\"a\": 1e999}]"s,
                                   "\"\\ud800\""s, "\"\\udc00 \\ud83d\""s, "null"s, deep, std::string(400, '9')}) {
    const TemporaryFolder folder;
    write_file(folder.path() / "a",
               "{\"x\": " + value +
                   ", \"text\": \"NaN \\ud83d\\ude00 \\\"1e400\\\"\", \"id\": 9223372036854775807}\n"
                   "{\"text\": \"next\", \"x\":" +
                   value + "}\n");
    JsonLines lines(folder.path() / "a");
    ASSERT_TRUE(lines.next()) << value;
    EXPECT_EQ(lines.text("text"), "NaN \U0001F600 \"1e400\"") << value;
    EXPECT_EQ(lines.optional_integer("id"), INT64_MAX) << value;
    ASSERT_TRUE(lines.next()) << value;
    EXPECT_EQ(lines.text("text"), "next") << value;
    EXPECT_FALSE(lines.next());
  }
}

TEST(Json, TheFieldThatIsReadIsJudgedByItself) {
  const auto text = [](const std::string& line) {
    const TemporaryFolder folder;
    write_file(folder.path() / "a", line);
    JsonLines lines(folder.path() / "a");
    lines.next();
    return lines.text("text") + " " + std::to_string(lines.replaced());
  };
  EXPECT_EQ(text(R"({"text": "a\ud800b\udc00\ud800\u0041"})"), "a\uFFFDb\uFFFD\uFFFD\u0041 3");
  EXPECT_EQ(text(R"({"text": "first", "text": "last"})"), "last 0");
  EXPECT_EQ(text(R"({"text": null, "x": 1e400, "text": "last"})"), "last 0");
  for (const auto& [line, reason] :
       std::vector<std::pair<std::string, std::string>>{{R"({"text": 1e400})", "field \"text\" is not a string"},
                                                        {R"({"text": NaN})", "field \"text\" is not a string"},
                                                        {R"({"text": "a", "text": null})", "field \"text\" is null"},
                                                        {R"({"text": nan})", "not valid JSON"},
                                                        {R"({"text": "a", "x": -NaN})", "not valid JSON"},
                                                        {R"({"text": "a", "x": 01})", "not valid JSON"},
                                                        {R"({"text": "a", "x": 1e})", "not valid JSON"},
                                                        {R"({"text": "a", "x": "\ud80"})", "not valid JSON"},
                                                        {R"({"text": "a", "x": NaN)", "not valid JSON"},
                                                        {R"({"text": "a", "x": [NaN}])", "not valid JSON"},
                                                        {R"([{"text": "a"}])", "jq -c"}}) {
    const std::string error = error_of<IoError>([&] { text(line); });
    EXPECT_TRUE(contains(error, "a:1: ")) << error;
    EXPECT_TRUE(contains(error, reason)) << line << ": " << error;
  }
}

TEST(Json, TameTextThatIsFineStaysAsItIs) {
  for (const std::string& text : {R"({"a": [1, true, null, "NaN", "\u00e9\ud83d\ude00\\ud800"]})"s, ""s, "\"open"s,
                                  "\"\\"s, "{\"a\": 18446744073709551615}"s}) {
    std::string tame = text;
    EXPECT_EQ(tame_json(tame), 0u);
    EXPECT_EQ(tame, text);
  }
}

TEST(Json, ObjectsAreToldByTheFirstLine) {
  const TemporaryFolder folder;
  const auto told = [&](const std::string& bytes) {
    write_file(folder.path() / "a", bytes);
    return begins_with_json_object(folder.path() / "a");
  };
  EXPECT_TRUE(told("\n {\"text\": \"a\", \"x\": NaN}\n"));
  EXPECT_TRUE(told(zstd("\xEF\xBB\xBF{\"text\": \"a\"}")));
  EXPECT_FALSE(told("{braces} in a text\n"));
  EXPECT_FALSE(told("text\n"));
  EXPECT_FALSE(told(""));
}

TEST(Names, ThatAreNotUtf8AreRefusedBeforeWork) {
  const TemporaryFolder folder;
  PrepareConfig config;
  config.sources.resize(1);
  config.sources[0].kind = SourceKind::kText;
  config.sources[0].path = folder.path() / "caf\xE9.txt";
  config.output = folder.path() / "out";
  write_file(config.sources[0].path, "text\n");
  const auto error = [&] { return error_of<base::UsageError>([&] { config.sources[0].validate(), prepare(config); }); };
  EXPECT_TRUE(contains(error(), "caf\\xE9.txt is not UTF-8"));
  config.sources[0].path = folder.path() / "a.txt";
  config.output = folder.path() / "caf\xE9";
  EXPECT_TRUE(contains(error(), "output: the name "));
  EXPECT_FALSE(fs::exists(config.output));
}

}  // namespace
}  // namespace memlayers::data
