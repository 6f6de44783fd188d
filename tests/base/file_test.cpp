#include "base/file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

namespace memlayers::base {
namespace {

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / concat("memlayers_file_test_", getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : fs::directory_iterator(folder_)) result.push_back(entry.path().filename());
    std::sort(result.begin(), result.end());
    return result;
  }

  fs::path folder_;
};

TEST_F(FileTest, ReadsWhatWasWritten) {
  const std::string text("a\0b\n", 4);
  write_text_atomically(folder_ / "a", text);
  EXPECT_EQ(read_text(folder_ / "a"), text);
  write_text_atomically(folder_ / "a", "");
  EXPECT_EQ(read_text(folder_ / "a"), "");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(FileTest, NamesThePathOfWhatCannotBeRead) {
  for (const fs::path& path : {folder_ / "absent", folder_}) {
    try {
      MappedFile file(path);
      FAIL() << path;
    } catch (const IoError& error) {
      EXPECT_EQ(error.path(), path);
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos);
    }
  }
}

TEST_F(FileTest, LeavesTheOldFileWhenNotCommitted) {
  write_text_atomically(folder_ / "a", "old");
  {
    AtomicFile file(folder_ / "a");
    file.write("new");
  }
  EXPECT_EQ(read_text(folder_ / "a"), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(FileTest, LeavesTheOldFileWhenTheDiskIsFull) {
  write_text_atomically(folder_ / "a", "old");
  const pid_t child = fork();  // the test's hook is an environment variable: set it where nobody else sees it
  if (child == 0) {
    setenv("MEMLAYERS_FAIL_WRITES_AFTER", "10", 1);
    try {
      write_text_atomically(folder_ / "a", std::string(11, 'x'));
    } catch (const IoError& error) {
      _exit(std::string(error.what()).find("No space left") != std::string::npos ? 42 : 1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_EQ(read_text(folder_ / "a"), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(FileTest, ReplacesAFolderAsAWhole) {
  write_folder_atomically(folder_ / "f", [](const fs::path& path) {
    write_text_atomically(path / "one", "1");
    fs::create_directories(path / "deep");
    write_text_atomically(path / "deep" / "two", "2");
  });
  EXPECT_EQ(read_text(folder_ / "f" / "deep" / "two"), "2");
  write_folder_atomically(folder_ / "f/", [](const fs::path& path) { write_text_atomically(path / "three", "3"); });
  EXPECT_FALSE(fs::exists(folder_ / "f" / "one"));
  EXPECT_EQ(read_text(folder_ / "f" / "three"), "3");
  EXPECT_EQ(names(), std::vector<std::string>{"f"});
}

TEST_F(FileTest, KeepsTheOldFolderWhenFillingFails) {
  write_folder_atomically(folder_ / "f", [](const fs::path& path) { write_text_atomically(path / "one", "1"); });
  EXPECT_THROW(write_folder_atomically(folder_ / "f",
                                       [](const fs::path& path) {
                                         write_text_atomically(path / "two", "2");
                                         throw UsageError("no");
                                       }),
               UsageError);
  EXPECT_EQ(read_text(folder_ / "f" / "one"), "1");
  EXPECT_EQ(names(), std::vector<std::string>{"f"});
}

TEST(CheckedArithmetic, SaysNothingOnOverflow) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(checked_multiply(1ull << 32, (1ull << 32) - 1), (1ull << 32) * ((1ull << 32) - 1));
  EXPECT_EQ(checked_multiply(1ull << 32, 1ull << 32), std::nullopt);
  EXPECT_EQ(checked_multiply(0, kMax), 0u);
  EXPECT_EQ(checked_add(kMax, 0), kMax);
  EXPECT_EQ(checked_add(kMax, 1), std::nullopt);
}

TEST(Hash, GivesThePublishedValueAndSeesEveryByte) {
  EXPECT_EQ(hash_bytes("", 0), 0xEF46DB3751D8E999ull);  // XXH64 of nothing, seed 0
  EXPECT_NE(hash_bytes("ab", 2), hash_bytes("ac", 2));
  EXPECT_NE(hash_bytes("ab", 2, 1), hash_bytes("ab", 2, 2));
}

TEST(Hash, TextHasSixteenDigitsWhateverTheNumber) {
  EXPECT_EQ(hash_text(0), "0000000000000000");
  EXPECT_EQ(hash_text(0x00e9ab0123456789), "00e9ab0123456789");
  EXPECT_EQ(hash_text(~uint64_t{0}), "ffffffffffffffff");
}

}  // namespace
}  // namespace memlayers::base
