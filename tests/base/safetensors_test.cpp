#include "base/safetensors/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "base/error.h"

namespace memlayers::base {
namespace {

/// A file's bytes from a header text and a buffer.
std::string container(const std::string& header, const std::string& buffer) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + buffer;
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

SafetensorsFile parse(const std::string& bytes) { return SafetensorsFile(bytes_of(bytes), "x.safetensors"); }

/// The reason (without the file's name, which every message must begin with), or "accepted".
std::string refusal(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const IoError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.rfind("x.safetensors: ", 0), 0u) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 400u);
    return message.substr(std::strlen("x.safetensors: "));
  }
  return "accepted";
}

/// Refusal of a header with the one item `item`, before `buffer_bytes` zeros.
std::string refusal_of(const std::string& item, size_t buffer_bytes = 8) {
  return refusal(container("{" + item + "}", std::string(buffer_bytes, '\0')));
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

class SafetensorsFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / concat("memlayers_safetensors_test_", getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

constexpr Dtype kAllDtypes[] = {Dtype::kBool, Dtype::kU8,  Dtype::kI8,  Dtype::kI16, Dtype::kU16,
                                Dtype::kI32,  Dtype::kU32, Dtype::kI64, Dtype::kU64, Dtype::kF16,
                                Dtype::kBF16, Dtype::kF32, Dtype::kF64};

TEST(Safetensors, ReadsTheLayoutOfTheFormatsDescription) {
  const std::string buffer("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a", 10);
  const SafetensorsFile file =
      parse(container(R"({"__metadata__":{"format":"pt","a":""},"b":{"dtype":"F16","shape":[1],"data_offsets":[8,10]},)"
                      R"("a":{"data_offsets":[0,8],"shape":[2,1],"dtype":"F32"},)"
                      R"("empty":{"dtype":"I64","shape":[3,0],"data_offsets":[8,8]}}   )",
                      buffer));
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"a", ""}}));
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.tensor("a").dtype, Dtype::kF32);
  EXPECT_EQ(file.tensor("a").shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(std::memcmp(file.tensor("a").bytes.data(), buffer.data(), 8), 0);
  EXPECT_EQ(file.tensor("b").bytes.size(), 2u);
  EXPECT_EQ(std::to_integer<int>(file.tensor("b").bytes[0]), 9);
  EXPECT_TRUE(file.tensor("empty").bytes.empty());
  EXPECT_FALSE(file.contains("c"));
}

TEST(Safetensors, HoldsScalarsAndNothingAtAll) {
  EXPECT_TRUE(parse(container("{}", "")).tensors().empty());
  EXPECT_TRUE(parse(container(R"({"__metadata__":{}})", "")).metadata().empty());
  const std::string bytes = container("{" + entry("s", "U8", "[]", "[0,1]") + "}", "x");
  EXPECT_TRUE(parse(bytes).tensor("s").shape.empty());
}

TEST(Safetensors, AbsentTensorIsNamed) {
  const std::string bytes = container("{}", "");
  const SafetensorsFile file = parse(bytes);
  try {
    file.tensor("model.norm.weight");
    ADD_FAILURE() << "found";
  } catch (const IoError& error) {
    EXPECT_STREQ(error.what(), "x.safetensors: holds no tensor \"model.norm.weight\"");
  }
}

TEST(Safetensors, DtypeNamesAndSizesAreTheFormats) {
  const char* names[] = {"BOOL", "U8", "I8", "I16", "U16", "I32", "U32", "I64", "U64", "F16", "BF16", "F32", "F64"};
  const size_t sizes[] = {1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8};
  for (size_t i = 0; i < std::size(kAllDtypes); ++i) {
    EXPECT_EQ(dtype_name(kAllDtypes[i]), names[i]);
    EXPECT_EQ(dtype_bytes(kAllDtypes[i]), sizes[i]);
  }
}

TEST(Safetensors, HeaderLengthIsChecked) {
  EXPECT_EQ(refusal(""), "truncated: 0 bytes, not even a header length");
  EXPECT_EQ(refusal("1234567"), "truncated: 7 bytes, not even a header length");
  EXPECT_EQ(refusal(std::string("\x03\0\0\0\0\0\0\0{}", 10)), "truncated: header of 3 bytes, but 2 follow its length");
  EXPECT_EQ(refusal(std::string(8, '\xff') + "{}"),
            "no safetensors file: header of 18446744073709551615 bytes, at most 100000000 are allowed");
  EXPECT_EQ(refusal(std::string("\x01\xe1\xf5\x05\0\0\0\0{}", 10)).substr(0, 50),
            "no safetensors file: header of 100000001 bytes, at");
  EXPECT_EQ(refusal(std::string(8, '\0')), "the header does not begin with {");
}

TEST(Safetensors, HeaderMustBeOneJsonObject) {
  EXPECT_EQ(refusal(container("[]", "")), "the header does not begin with {");
  EXPECT_EQ(refusal(container(" {}", "")), "the header does not begin with {");
  for (const char* header :
       {"{", "{}}", "{} x", "{\"a\"}", "{\"a\":}", "{,}", "{\"a\":1,}", "{\"\xff\":1}", "{} // c"}) {
    EXPECT_NE(refusal(container(header, "")), "accepted") << header;
  }
  EXPECT_EQ(refusal(container("{}x", "")).substr(0, 28), "the header is not valid JSON");
  EXPECT_EQ(refusal(container(std::string("{}\0", 3), "")).substr(0, 28), "the header is not valid JSON");
  std::string deep = "{\"a\":";
  for (int i = 0; i < 1'000'000; ++i) deep += "[";
  EXPECT_EQ(refusal(container(deep, "")), "\"a\" must be an object, not a list");
}

TEST(Safetensors, MetadataHoldsTextsOnly) {
  EXPECT_EQ(refusal_of(R"("__metadata__":{"a":1})", 0), R"(metadata "a" must be a text, not a number)");
  EXPECT_EQ(refusal_of(R"("__metadata__":{"a":null})", 0), R"(metadata "a" must be a text, not null)");
  EXPECT_EQ(refusal_of(R"("__metadata__":{"a":{}})", 0), R"(metadata "a" must be a text, not an object)");
  EXPECT_EQ(refusal_of(R"("__metadata__":{"a":[]})", 0), R"(metadata "a" must be a text, not a list)");
  EXPECT_EQ(refusal_of(R"("__metadata__":{"a":true})", 0), R"(metadata "a" must be a text, not a boolean)");
  EXPECT_EQ(refusal_of(R"("__metadata__":"x")", 0), R"("__metadata__" must be an object, not a text)");
  EXPECT_EQ(refusal_of(R"("__metadata__":{"a":"1","a":"2"})", 0), R"(duplicate metadata key "a")");
  EXPECT_EQ(refusal_of(R"("__metadata__":{},"__metadata__":{})", 0), R"(duplicate name "__metadata__")");
}

TEST(Safetensors, EntriesHaveExactlyTheirThreeKeys) {
  EXPECT_EQ(refusal_of(R"("a":{"shape":[8],"data_offsets":[0,8]})"), R"(tensor "a": no dtype)");
  EXPECT_EQ(refusal_of(R"("a":{"dtype":"U8","data_offsets":[0,8]})"), R"(tensor "a": no shape)");
  EXPECT_EQ(refusal_of(R"("a":{"dtype":"U8","shape":[8]})"), R"(tensor "a": no data_offsets)");
  EXPECT_EQ(refusal_of(R"("a":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":1})"),
            R"(tensor "a": unknown key "x")");
  EXPECT_EQ(refusal_of(R"("a":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]})"),
            R"(tensor "a": duplicate key dtype)");
  EXPECT_EQ(refusal_of(R"("a":3)"), R"("a" must be an object, not a number)");
  EXPECT_EQ(refusal_of(R"("a":null)"), R"("a" must be an object, not null)");
}

TEST(Safetensors, DtypesAreKnownTexts) {
  EXPECT_EQ(refusal_of(entry("a", "F31", "[8]", "[0,8]")), R"(tensor "a": unknown dtype "F31")");
  EXPECT_EQ(refusal_of(entry("a", "f32", "[2]", "[0,8]")), R"(tensor "a": unknown dtype "f32")");
  EXPECT_EQ(refusal_of(R"("a":{"dtype":7,"shape":[8],"data_offsets":[0,8]})"), R"(tensor "a": dtype holds a number)");
  EXPECT_EQ(refusal_of(R"("a":{"dtype":["U8"],"shape":[8],"data_offsets":[0,8]})"),
            R"(tensor "a": dtype holds a list)");
}

TEST(Safetensors, ShapesAreWholeAndNotNegative) {
  EXPECT_EQ(refusal_of(entry("a", "U8", "[-8]", "[0,8]")), R"(tensor "a": negative dimension -8)");
  EXPECT_EQ(refusal_of(entry("a", "U8", "[8.0]", "[0,8]")),
            R"(tensor "a": shape holds a number that is not whole or too large)");
  EXPECT_EQ(refusal_of(entry("a", "U8", "[9223372036854775808]", "[0,8]")), R"(tensor "a": a dimension is too large)");
  EXPECT_EQ(refusal_of(entry("a", "U8", "[99999999999999999999]", "[0,8]")),
            R"(tensor "a": shape holds a number that is not whole or too large)");
  EXPECT_EQ(refusal_of(entry("a", "U8", "[\"8\"]", "[0,8]")), R"(tensor "a": shape holds a text)");
  EXPECT_EQ(refusal_of(entry("a", "U8", "[[8]]", "[0,8]")), R"(tensor "a": shape holds a list)");
  EXPECT_EQ(refusal_of(entry("a", "U8", "8", "[0,8]")), R"(tensor "a": shape holds a number)");
  EXPECT_EQ(refusal_of(entry("a", "U8", "{}", "[0,8]")), R"(tensor "a": shape holds an object)");
}

TEST(Safetensors, SizesThatOverflowAreRefused) {
  for (const char* shape :
       {"[4294967296,4294967296]", "[9223372036854775807,4]", "[4294967296,4294967296,0]", "[2305843009213693952,8]"}) {
    EXPECT_EQ(refusal_of(entry("a", "U8", shape, "[0,0]"), 0), R"(tensor "a": its size overflows 64 bits)") << shape;
  }
  // 2^61 + 1 elements of 8 bytes wrap to 8 bytes.
  EXPECT_EQ(refusal_of(entry("a", "F64", "[2305843009213693953]", "[0,8]")),
            R"(tensor "a": its size overflows 64 bits)");
}

TEST(Safetensors, OffsetsMatchDtypeAndShape) {
  EXPECT_EQ(refusal_of(entry("a", "F32", "[3]", "[0,8]")),
            R"(tensor "a": data_offsets span 8 bytes, dtype and shape need 12)");
  EXPECT_EQ(refusal_of(entry("a", "F32", "[1]", "[0,8]")),
            R"(tensor "a": data_offsets span 8 bytes, dtype and shape need 4)");
  EXPECT_EQ(refusal_of(entry("a", "F32", "[2]", "[8,0]")), R"(tensor "a": data_offsets end before they begin)");
  EXPECT_EQ(refusal_of(entry("a", "F32", "[2]", "[-8,0]")), R"(tensor "a": negative offset -8)");
  EXPECT_EQ(refusal_of(entry("a", "F32", "[2]", "[0]")), R"(tensor "a": data_offsets must hold two numbers)");
  EXPECT_EQ(refusal_of(entry("a", "F32", "[2]", "[]")), R"(tensor "a": data_offsets must hold two numbers)");
  EXPECT_EQ(refusal_of(entry("a", "F32", "[2]", "[0,8,8]")), R"(tensor "a": data_offsets must hold two numbers)");
  EXPECT_EQ(refusal_of(entry("a", "F32", "[2]", "[0,8e0]")),
            R"(tensor "a": data_offsets holds a number that is not whole or too large)");
  EXPECT_EQ(refusal_of(entry("a", "F32", "[4]", "[0,16]")),
            R"(tensor "a": ends at byte 16 of 8 (is the file truncated?))");
  EXPECT_EQ(refusal_of(entry("a", "U8", "[2]", "[18446744073709551613,18446744073709551615]")),
            R"(tensor "a": ends at byte 18446744073709551615 of 8 (is the file truncated?))");
}

TEST(Safetensors, TensorsTileTheBuffer) {
  EXPECT_EQ(refusal_of(entry("a", "F32", "[1]", "[4,8]")), R"(tensor "a" leaves a hole before it)");
  EXPECT_EQ(refusal_of(entry("a", "F32", "[1]", "[0,4]")), "the tensors end at byte 4, but 8 bytes follow the header");
  EXPECT_EQ(refusal_of(entry("a", "U8", "[5]", "[0,5]") + "," + entry("b", "U8", "[4]", "[4,8]")),
            R"(tensor "b" overlaps the tensor before it)");
  EXPECT_EQ(refusal_of(entry("a", "U8", "[8]", "[0,8]") + "," + entry("b", "U8", "[8]", "[0,8]")),
            R"(tensor "b" overlaps the tensor before it)");
  EXPECT_EQ(refusal_of(entry("a", "U8", "[3]", "[0,3]") + "," + entry("b", "U8", "[4]", "[4,8]")),
            R"(tensor "b" leaves a hole before it)");
  EXPECT_EQ(refusal_of(entry("a", "U8", "[8]", "[0,8]") + "," + entry("b", "U8", "[0]", "[3,3]")),
            R"(tensor "b" overlaps the tensor before it)");
  EXPECT_EQ(refusal(container("{}", "x")), "the tensors end at byte 0, but 1 bytes follow the header");
}

TEST(Safetensors, DuplicateNamesAreRefusedHoweverTheyAreWritten) {
  EXPECT_EQ(refusal_of(entry("a", "F32", "[1]", "[0,4]") + "," + entry("a", "F32", "[1]", "[4,8]")),
            R"(duplicate name "a")");
  EXPECT_EQ(refusal_of(entry("a", "F32", "[1]", "[0,4]") + "," + entry("\\u0061", "F32", "[1]", "[4,8]")),
            R"(duplicate name "a")");
}

TEST(Safetensors, HostileNamesStayOneShortLine) {
  EXPECT_EQ(refusal_of(entry("a\\n\\u001b[2J", "F31", "[8]", "[0,8]")),
            R"(tensor "a\n\u001b[2J": unknown dtype "F31")");
  EXPECT_NE(refusal_of(entry(std::string(100'000, 'n'), "F31", "[8]", "[0,8]")), "accepted");
  EXPECT_NE(refusal_of(entry(std::string(119, 'n') + "\xc3\xa9", "F31", "[8]", "[0,8]")), "accepted");
}

TEST_F(SafetensorsFileTest, WritesEveryDtypeAndReadsItBack) {
  std::vector<std::string> contents;
  for (const Dtype dtype : kAllDtypes) {
    std::string bytes;
    for (size_t i = 0; i < 6 * dtype_bytes(dtype); ++i) bytes += static_cast<char>(contents.size() * 48 + i);
    contents.push_back(std::move(bytes));
  }
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < contents.size(); ++i) {
    tensors.push_back({"t." + dtype_name(kAllDtypes[i]), {kAllDtypes[i], {2, 3}, bytes_of(contents[i])}});
  }
  tensors.push_back({"empty", {Dtype::kF32, {0, 4}, {}}});
  tensors.push_back({"scalar \xc3\xa9\"\n", {Dtype::kBF16, {}, bytes_of(contents[0]).first(2)}});
  write_safetensors(folder_ / "all.safetensors", tensors, {{"config", "{\"a\": 1}"}});

  const SafetensorsFile file(folder_ / "all.safetensors");
  EXPECT_EQ(file.path(), folder_ / "all.safetensors");
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"config", "{\"a\": 1}"}, {"format", "pt"}}));
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const NamedTensor& tensor : tensors) {
    const TensorView& view = file.tensor(tensor.name);
    EXPECT_EQ(view.dtype, tensor.view.dtype);
    EXPECT_EQ(view.shape, tensor.view.shape);
    ASSERT_EQ(view.bytes.size(), tensor.view.bytes.size());
    EXPECT_TRUE(std::equal(view.bytes.begin(), view.bytes.end(), tensor.view.bytes.begin())) << tensor.name;
  }
}

TEST_F(SafetensorsFileTest, EachTensorLiesAtAMultipleOfItsElementAndEqualInputsGiveEqualFiles) {
  const std::string zeros(64, '\0');
  std::vector<NamedTensor> tensors;
  for (const Dtype dtype : kAllDtypes)
    tensors.push_back({dtype_name(dtype), {dtype, {1}, bytes_of(zeros).first(dtype_bytes(dtype))}});
  write_safetensors(folder_ / "a", tensors);
  std::reverse(tensors.begin(), tensors.end());
  write_safetensors(folder_ / "b", tensors);
  EXPECT_EQ(read_text(folder_ / "a"), read_text(folder_ / "b"));
  const SafetensorsFile file(folder_ / "a");
  for (const auto& [name, view] : file.tensors()) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(view.bytes.data()) % dtype_bytes(view.dtype), 0u) << name;
  }
}

TEST_F(SafetensorsFileTest, ViewsSurviveMovingTheFile) {
  write_safetensors(folder_ / "a", {{"t", {Dtype::kU8, {3}, bytes_of("abc").first(3)}}});
  std::optional<SafetensorsFile> first(std::in_place, folder_ / "a");
  const SafetensorsFile second = std::move(*first);
  first.reset();
  EXPECT_EQ(std::memcmp(second.tensor("t").bytes.data(), "abc", 3), 0);
}

TEST_F(SafetensorsFileTest, EveryTruncationIsRefused) {
  const std::string data = "abcdefgh";
  write_safetensors(
      folder_ / "whole",
      {{"a", {Dtype::kF32, {1}, bytes_of(data).first(4)}}, {"b", {Dtype::kU8, {2, 2}, bytes_of(data).subspan(4)}}},
      {{"note", "x"}});
  const std::string whole = read_text(folder_ / "whole");
  EXPECT_EQ(parse(whole).tensors().size(), 2u);
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(refusal(whole.substr(0, length)), "accepted") << length;
  }
  EXPECT_EQ(refusal(whole + "x"), "the tensors end at byte 8, but 9 bytes follow the header");
}

TEST_F(SafetensorsFileTest, EveryChangedHeaderByteIsReadOrRefusedButNeverRunsOutside) {
  const std::string data = "abcdefgh";
  write_safetensors(folder_ / "whole", {{"a", {Dtype::kF32, {1}, bytes_of(data).first(4)}},
                                        {"b", {Dtype::kU8, {2, 2}, bytes_of(data).subspan(4)}}});
  const std::string whole = read_text(folder_ / "whole");
  for (size_t at = 0; at < whole.size() - data.size(); ++at) {
    for (int change = 1; change < 256; change += 7) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      try {
        const SafetensorsFile file = parse(damaged);
        size_t total = 0;
        for (const auto& [name, view] : file.tensors()) total += view.bytes.size();
        EXPECT_EQ(total, data.size());
      } catch (const IoError&) {}
    }
  }
}

TEST_F(SafetensorsFileTest, RefusalOfAFileOnDiskNamesItsPath) {
  EXPECT_THROW(SafetensorsFile(folder_ / "absent"), IoError);
  EXPECT_THROW(SafetensorsFile{folder_}, IoError);
  write_text_atomically(folder_ / "short", "abc");
  try {
    SafetensorsFile file(folder_ / "short");
    ADD_FAILURE() << "accepted";
  } catch (const IoError& error) {
    EXPECT_EQ(error.what(), (folder_ / "short").string() + ": truncated: 3 bytes, not even a header length");
    EXPECT_EQ(error.path(), folder_ / "short");
  }
}

TEST_F(SafetensorsFileTest, WriterRefusesWhatCouldNotBeReadBackAndKeepsTheOldFile) {
  const fs::path path = folder_ / "kept";
  const std::string data = "abcdefgh";
  const auto tensor = [&](const std::string& name, std::vector<int64_t> shape) {
    return NamedTensor{name, {Dtype::kF32, std::move(shape), bytes_of(data)}};
  };
  write_safetensors(path, {tensor("a", {2})});
  const std::string before = read_text(path);
  EXPECT_THROW(write_safetensors(path, {tensor("a", {3})}), UsageError);
  EXPECT_THROW(write_safetensors(path, {tensor("a", {-2})}), UsageError);
  EXPECT_THROW(write_safetensors(path, {tensor("a", {int64_t{1} << 62, 4})}), UsageError);
  EXPECT_THROW(write_safetensors(path, {tensor("a", {2}), tensor("a", {2})}), UsageError);
  EXPECT_THROW(write_safetensors(path, {tensor("__metadata__", {2})}), UsageError);
  EXPECT_THROW(write_safetensors(path, {tensor("\xff", {2})}), UsageError);
  EXPECT_THROW(write_safetensors(path, {tensor("a", {2})}, {{"note", "\xff"}}), UsageError);
  EXPECT_EQ(read_text(path), before);
  EXPECT_THROW(write_safetensors(folder_ / "no" / "folder", {tensor("a", {2})}), IoError);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

/// Shared data lie beside the checkout unless the environment says otherwise.
fs::path shared_folder() {
  const char* given = std::getenv("MEMLAYERS_SHARED_DIR");
  return given != nullptr ? fs::path(given) : fs::path(MEMLAYERS_SOURCE_DIR) / ".." / "shared";
}

TEST(Safetensors, ReadsAndRewritesEveryParityFile) {
  const fs::path folder = shared_folder() / "parity";
  if (!fs::is_directory(folder)) GTEST_SKIP() << folder << " is absent";
  const fs::path copy = fs::temp_directory_path() / concat("memlayers_parity_copy_", getpid());
  int files = 0;
  for (const auto& item : fs::directory_iterator(folder)) {
    if (item.path().extension() != ".safetensors") continue;
    const SafetensorsFile file(item.path());
    EXPECT_TRUE(file.metadata().contains("config")) << item.path();
    EXPECT_GE(file.tensors().size(), 10u);
    std::vector<NamedTensor> tensors;
    for (const auto& [name, view] : file.tensors()) tensors.push_back({name, view});
    write_safetensors(copy, tensors, file.metadata());
    const SafetensorsFile again(copy);
    EXPECT_EQ(again.tensors().size(), file.tensors().size());
    for (const auto& [name, view] : file.tensors()) {
      const TensorView& other = again.tensor(name);
      EXPECT_TRUE(other.dtype == view.dtype && other.shape == view.shape &&
                  std::equal(view.bytes.begin(), view.bytes.end(), other.bytes.begin(), other.bytes.end()))
          << item.path() << " " << name;
    }
    ++files;
  }
  fs::remove(copy);
  EXPECT_GE(files, 10);
}

}  // namespace
}  // namespace memlayers::base
