// Safetensors files of tensors: every dtype there and back, and folders of shards that nobody vouches for.
#include "model/tensor_files.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include <ATen/ATen.h>

#include "base/error.h"
#include "support/error_of.h"
#include "support/temporary_file.h"

namespace memlayers::tests {
namespace {

namespace fs = std::filesystem;
using model::NamedTensors;
using model::WeightFiles;

void expect_said(const std::string& message, const std::vector<std::string>& words) {
  for (const std::string& word : words)
    EXPECT_NE(message.find(word), std::string::npos) << word << " is not in: " << message;
}

TEST(TensorFiles, EveryDtypeComesBackAsItWas) {
  const ScratchFolder folder;
  NamedTensors tensors, read;
  std::set<base::Dtype> seen;
  for (const at::ScalarType dtype : {at::kBool, at::kByte, at::kChar, at::kShort, at::kUInt16, at::kInt, at::kUInt32,
                                     at::kLong, at::kUInt64, at::kHalf, at::kBFloat16, at::kFloat, at::kDouble}) {
    EXPECT_EQ(model::tensor_dtype(model::file_dtype(dtype)), dtype);
    seen.insert(model::file_dtype(dtype));
    tensors.emplace_back(at::toString(dtype), at::arange(6, at::kInt).view({2, 3}).to(dtype));
    read.emplace_back(at::toString(dtype), at::zeros({2, 3}, at::kInt).to(dtype));
  }
  EXPECT_EQ(seen.size(), tensors.size());
  model::write_tensors(folder.path() / "t.safetensors", tensors);
  model::read_tensors(folder.path() / "t.safetensors", read);
  for (size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_TRUE(at::equal(tensors[i].second.to(at::kDouble), read[i].second.to(at::kDouble))) << tensors[i].first;
  }
}

TEST(TensorFiles, ADtypeThatFilesDoNotKnowIsRefused) {
  const ScratchFolder folder;
  const std::string message = error_of<base::Error>([&] {
    model::write_tensors(folder.path() / "t.safetensors", {{"a", at::zeros({2}, at::kComplexFloat)}});
  });
  expect_said(message, {"ComplexFloat"});
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(TensorFiles, FindsTheFirstTensorThatIsNotFinite) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    for (const int64_t size : {1, 7, 64, 100'003}) {
      for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                                 -std::numeric_limits<double>::infinity()}) {
        const at::Tensor sound = at::ones({size}, dtype), spoiled = at::ones({size}, dtype);
        const NamedTensors tensors = {
            {"steps", at::zeros({3}, at::kInt)}, {"none", at::ones({0})}, {"a", sound}, {"b", spoiled}};
        EXPECT_EQ(model::first_not_finite(tensors), nullptr);
        spoiled[size * 2 / 3].fill_(value);
        ASSERT_NE(model::first_not_finite(tensors), nullptr) << dtype << " " << size << " " << value;
        EXPECT_EQ(*model::first_not_finite(tensors), "b");
      }
    }
  }
  EXPECT_EQ(model::first_not_finite({{"largest", at::full({9}, std::numeric_limits<float>::max())}}), nullptr);
}

class Shards : public ::testing::Test {
 protected:
  Shards() {
    model::write_weights(folder_.path(), {{"a", at::ones({4})}, {"b", at::ones({4})}}, 16);
    EXPECT_TRUE(fs::exists(folder_.path() / kSecond));
  }
  std::string message_with_index(const std::string& index) const {
    base::write_text_atomically(folder_.path() / "model.safetensors.index.json", index);
    return error_of<base::Error>([&] { WeightFiles files(folder_.path()); });
  }

  static constexpr const char* kSecond = "model-00002-of-00002.safetensors";
  ScratchFolder folder_;
};

TEST_F(Shards, AreReadAndReplaceASingleFile) {
  EXPECT_EQ(WeightFiles(folder_.path()).tensors().size(), 2u);
  model::write_weights(folder_.path(), {{"c", at::ones({4})}}, 1000);
  EXPECT_EQ(WeightFiles(folder_.path()).tensors().size(), 1u);
  model::write_weights(folder_.path(), {{"a", at::ones({4})}, {"b", at::ones({4})}}, 16);
  EXPECT_FALSE(fs::exists(folder_.path() / "model.safetensors"));
}

TEST_F(Shards, AMissingOneIsNamedWithWhatItHolds) {
  fs::remove(folder_.path() / kSecond);
  expect_said(error_of<base::Error>([&] { WeightFiles files(folder_.path()); }), {kSecond, "\"b\"", "missing"});
}

TEST_F(Shards, OutsideOfTheFolderAreRefused) {
  for (const char* file : {"../x.safetensors", "/etc/passwd", "..", ".", "", "sub/x.safetensors", "a\\u0000b"}) {
    expect_said(message_with_index(std::string(R"({"weight_map": {"a": ")") + file + "\"}}"),
                {"no file of this folder", "\"a\""});
  }
  expect_said(message_with_index(R"({"weight_map": {"a": 3}})"), {"no file of this folder"});
  expect_said(message_with_index(R"({"weight_map": )"), {"is not a safetensors index"});
}

TEST_F(Shards, ATensorListedTwiceIsRefused) {
  const std::string second = kSecond, first = "model-00001-of-00002.safetensors";
  expect_said(message_with_index(R"({"weight_map": {"a": ")" + first + R"(", "b": ")" + second + R"(", "a": ")" +
                                 second + "\"}}"),
              {"index.json", "\"a\" twice"});
  expect_said(message_with_index(R"({"weight_map": {"a": ")" + second + R"("}})"), {"does not"});
  model::write_tensors(folder_.path() / second, {{"a", at::ones({4})}, {"b", at::ones({4})}});
  expect_said(message_with_index(R"({"weight_map": {"a": ")" + first + R"(", "b": ")" + second + R"("}})"),
              {second, "\"a\"", "another shard holds too"});
}

}  // namespace
}  // namespace memlayers::tests
