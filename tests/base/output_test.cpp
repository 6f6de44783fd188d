#include "base/output.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "support/temporary_folder.h"

namespace memlayers::base {
namespace {

class OutputTest : public ::testing::Test {
 protected:
  fs::path at(const std::string& name) const { return folder_.path() / name; }

  std::vector<std::string> names(const fs::path& folder) const {
    std::vector<std::string> result;
    for (const auto& entry : fs::directory_iterator(folder)) result.push_back(entry.path().filename());
    std::sort(result.begin(), result.end());
    return result;
  }

  /// What a write says where it must fail, with nothing changed.
  std::string refused(const fs::path& path) const {
    try {
      write_text_atomically(path, "new");
    } catch (const Error& error) {
      return error.what();
    }
    return "written";
  }

  tests::TemporaryFolder folder_;
};

/// Runs `body` in a child that may change its user, folders or mounts; true where it returned true.
bool in_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      _exit(body() ? 0 : 1);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      _exit(2);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

using Names = std::vector<std::string>;

TEST_F(OutputTest, WritesAFileAtTheEndOfLinks) {
  fs::create_directories(at("disk"));
  write_text_atomically(at("disk/real"), "old");
  fs::create_symlink("disk/real", at("relative"));
  fs::create_symlink(at("relative"), at("chain"));
  write_text_atomically(at("chain"), "new");
  EXPECT_EQ(read_text(at("disk/real")), "new");
  EXPECT_TRUE(fs::is_symlink(at("chain")));
  EXPECT_TRUE(fs::is_symlink(at("relative")));
  EXPECT_EQ(names(at("disk")), Names{"real"});
}

TEST_F(OutputTest, MakesWhatADanglingLinkLeadsTo) {
  fs::create_directories(at("disk"));
  fs::create_symlink("disk/fresh", at("file"));
  write_text_atomically(at("file"), "new");
  EXPECT_EQ(read_text(at("disk/fresh")), "new");
  fs::create_symlink("disk/deep/folder/", at("folder"));
  write_folder_atomically(at("folder"), [](const fs::path& path) { write_text_atomically(path / "one", "1"); });
  EXPECT_EQ(read_text(at("disk/deep/folder/one")), "1");
  fs::create_symlink("disk/made", at("link"));
  make_folder(at("link/"));
  EXPECT_TRUE(fs::is_directory(at("disk/made")));
  for (const char* link : {"file", "folder", "link"}) EXPECT_TRUE(fs::is_symlink(at(link))) << link;
}

TEST_F(OutputTest, ReplacesTheFolderThatALinkLeadsTo) {
  fs::create_directories(at("disk"));
  write_text_atomically(at("disk/old"), "0");
  fs::create_directory_symlink("disk", at("link"));
  for (const char* named : {"link", "link/"}) {
    write_folder_atomically(at(named), [](const fs::path& path) { write_text_atomically(path / "one", "1"); });
    EXPECT_TRUE(fs::is_symlink(at("link")));
    EXPECT_EQ(names(at("disk")), Names{"one"});
  }
  EXPECT_EQ(names(at(".")), (Names{"disk", "link"}));
}

TEST_F(OutputTest, RefusesWhatCannotBeAFile) {
  fs::create_directories(at("folder"));
  fs::create_symlink("b", at("a"));
  fs::create_symlink("a", at("b"));
  fs::create_symlink("nowhere/file", at("lost"));
  write_text_atomically(at("file"), "old");
  EXPECT_NE(refused(at("folder")).find("is a folder; name a file"), std::string::npos);
  EXPECT_NE(refused(at("folder/")).find("names a folder; name a file"), std::string::npos);
  EXPECT_NE(refused(at(".")).find("is a folder"), std::string::npos);
  EXPECT_NE(refused(at("a")).find("links lead in a circle"), std::string::npos);
  EXPECT_NE(refused(at("a/file")).find("links lead in a circle"), std::string::npos);
  EXPECT_NE(refused(at("lost")).find("there is no folder " + at("nowhere").string()), std::string::npos);
  EXPECT_NE(refused(at("file/under")).find(at("file").string()), std::string::npos);
  EXPECT_NE(refused("").find("name a file"), std::string::npos);
  EXPECT_EQ(read_text(at("file")), "old");
  EXPECT_EQ(names(at(".")), (Names{"a", "b", "file", "folder", "lost"}));
}

TEST_F(OutputTest, RefusesWhatCannotBeAFolderBeforeItIsFilled) {
  write_text_atomically(at("file"), "old");
  fs::create_symlink("loop", at("loop"));
  fs::create_symlink("file", at("link"));
  for (const char* name : {"file", "file/", "file/under", "loop", "link", "link/under/it"}) {
    bool filled = false;
    EXPECT_THROW(write_folder_atomically(at(name), [&](const fs::path&) { filled = true; }), IoError) << name;
    EXPECT_THROW(check_output_folder(at(name)), IoError) << name;
    EXPECT_FALSE(filled);
  }
  EXPECT_THROW(write_folder_atomically("/dev/null", [](const fs::path&) {}), IoError);
  EXPECT_EQ(read_text(at("file")), "old");
}

TEST_F(OutputTest, ChecksMakeNothing) {
  check_output_file(at("file"));
  check_output_folder(at("a/b/c/"));
  EXPECT_EQ(names(at(".")), Names{});
}

TEST_F(OutputTest, KeepsPermissionsOfWhatItReplaces) {
  const auto mode = [](const fs::path& path) { return unsigned(fs::status(path).permissions()); };
  for (unsigned wanted : {0600u, 0664u}) {
    write_text_atomically(at("file"), "old");
    fs::permissions(at("file"), fs::perms(wanted));
    write_text_atomically(at("file"), "new");
    EXPECT_EQ(mode(at("file")), wanted);
  }
  fs::create_directories(at("folder"));
  fs::permissions(at("folder"), fs::perms(02770));
  write_folder_atomically(at("folder"), [](const fs::path& path) { write_text_atomically(path / "one", "1"); });
  EXPECT_EQ(mode(at("folder")), 02770u);
}

TEST_F(OutputTest, KeepsTheOwnerOfWhatRootReplaces) {
  if (geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  write_text_atomically(at("file"), "old");
  ASSERT_EQ(chown(at("file").c_str(), 65534, 65534), 0);
  write_text_atomically(at("file"), "new");
  struct stat status = {};
  ASSERT_EQ(stat(at("file").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 65534u);
  EXPECT_EQ(status.st_gid, 65534u);
}

TEST_F(OutputTest, LeavesOtherNamesOfAFileAlone) {
  write_text_atomically(at("file"), "old");
  fs::create_hard_link(at("file"), at("snapshot"));
  write_text_atomically(at("file"), "new");
  EXPECT_EQ(read_text(at("file")), "new");
  EXPECT_EQ(read_text(at("snapshot")), "old");
}

TEST_F(OutputTest, DoesNotFollowATemporaryNameThatSomebodyElseMade) {
  write_text_atomically(at("precious"), "old");
  fs::create_symlink("precious", at("file" + temporary_suffix()));
  write_text_atomically(at("file"), "new");
  EXPECT_EQ(read_text(at("precious")), "old");
  EXPECT_FALSE(fs::is_symlink(at("file")));
}

TEST_F(OutputTest, WritesToDevicesAndNeverReplacesThem) {
  fs::create_symlink("/dev/null", at("null"));
  for (const fs::path& path : {fs::path("/dev/null"), at("null")}) {
    write_text_atomically(path, "new");
    EXPECT_TRUE(fs::is_character_file("/dev/null"));
  }
  EXPECT_NE(refused("/dev/full").find("No space left"), std::string::npos);
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(OutputTest, WritesToAPipeOnceItHasAReader) {
  ASSERT_EQ(mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_EQ(check_output_file(at("pipe")).way, OutputWay::kStream);
  std::string got;
  std::thread reader([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const int descriptor = open(at("pipe").c_str(), O_RDONLY);
    char bytes[64];
    for (ssize_t size; (size = read(descriptor, bytes, sizeof bytes)) > 0;) got.append(bytes, size_t(size));
    close(descriptor);
  });
  write_text_atomically(at("pipe"), "new");
  reader.join();
  EXPECT_EQ(got, "new");
  EXPECT_TRUE(fs::is_fifo(at("pipe")));
}

TEST_F(OutputTest, GoesOnWhereStandardOutputHasCome) {
  EXPECT_TRUE(in_child([&] {
    const int descriptor = open(at("out").c_str(), O_WRONLY | O_CREAT, 0600);
    dup2(descriptor, STDOUT_FILENO);
    const bool began = ::write(STDOUT_FILENO, "before ", 7) == 7;
    write_text_atomically("/dev/stdout", "page");
    return began && ::write(STDOUT_FILENO, " after", 6) == 6;
  }));
  EXPECT_EQ(read_text(at("out")), "before page after");
}

TEST_F(OutputTest, FillsTheCurrentFolderAsItStands) {
  fs::create_directories(at("here/deep"));
  write_text_atomically(at("here/old"), "0");
  EXPECT_TRUE(in_child([&] {
    fs::current_path(at("here"));
    for (const char* name : {".", "./", "deep/..", "../here"}) {
      write_folder_atomically(name, [](const fs::path& path) {
        write_text_atomically(path / "one", "1");
        fs::create_directories(path / "deep");
      });
      if (!fs::exists("one") || fs::exists("old")) return false;  // seen from the folder that it stands in
    }
    return true;
  }));
  EXPECT_EQ(names(at("here")), (Names{"deep", "one"}));
}

TEST_F(OutputTest, WhatIsFilledAsItStandsKeepsTheOldWhenFillingFails) {
  fs::create_directories(at("here"));
  write_text_atomically(at("here/old"), "0");
  EXPECT_TRUE(in_child([&] {
    fs::current_path(at("here"));
    try {
      write_folder_atomically(".", [](const fs::path&) { throw UsageError("no"); });
    } catch (const UsageError&) {
      return true;
    }
    return false;
  }));
  EXPECT_EQ(names(at("here")), Names{"old"});
}

TEST_F(OutputTest, WritesWhereOnlyTheFolderAboveIsClosed) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  fs::create_directories(at("closed/mine"));
  write_text_atomically(at("closed/file"), "old");
  fs::create_directories(at("closed/mine/deep"));
  for (const char* name : {"closed/file", "closed/mine", "closed/mine/deep"}) {
    ASSERT_EQ(chown(at(name).c_str(), 65534, 65534), 0);
  }
  for (const fs::path& path : {folder_.path(), at("closed")}) fs::permissions(path, fs::perms(0755));
  EXPECT_TRUE(in_child([&] {
    if (setgid(65534) != 0 || setuid(65534) != 0) return false;
    write_text_atomically(at("closed/file"), "new");
    write_folder_atomically(at("closed/mine"), [](const fs::path& path) { write_text_atomically(path / "one", "1"); });
    for (const char* name : {"closed/fresh", "closed/fresh/deep"}) {
      try {
        check_output_folder(at(name));
        return false;
      } catch (const IoError& error) {
        if (std::string(error.what()).find("Permission denied") == std::string::npos) return false;
      }
    }
    return true;
  }));
  EXPECT_EQ(read_text(at("closed/file")), "new");
  EXPECT_EQ(names(at("closed/mine")), Names{"one"});
}

TEST_F(OutputTest, FillsMountPointsAsTheyStand) {
  fs::create_directories(at("mount"));
  write_text_atomically(at("file"), "old");
  write_text_atomically(at("bound"), "old");
  const auto mounted = [&] {
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("none", at("mount").c_str(), "tmpfs", 0, nullptr) == 0 &&
           mount(at("bound").c_str(), at("file").c_str(), nullptr, MS_BIND, nullptr) == 0;
  };
  if (!in_child(mounted)) GTEST_SKIP() << "this user cannot mount here";
  EXPECT_TRUE(in_child([&] {
    mounted();
    fs::create_directories(at("mount/lost+found"));
    if (!is_empty_output(at("mount"))) return false;
    for (const char* text : {"1", "2"}) {
      write_folder_atomically(
          at("mount"), [&](const fs::path& path) { write_text_atomically(path / text, text); }, text);
      if (names(at("mount")) != Names{text, "lost+found"}) return false;
    }
    write_text_atomically(at("file"), "new");
    return true;
  }));
  EXPECT_EQ(names(at("mount")), Names{});  // nothing went past the mount
  EXPECT_EQ(read_text(at("bound")), "new");
  EXPECT_EQ(names(at(".")), (Names{"bound", "file", "mount"}));
}

TEST_F(OutputTest, RefusesDisksAndSockets) {
  if (geteuid() != 0 || mknod(at("disk").c_str(), S_IFBLK | 0600, makedev(7, 250)) != 0) {
    GTEST_SKIP() << "this user cannot make devices here";
  }
  EXPECT_NE(refused(at("disk")).find("name a file"), std::string::npos);
  EXPECT_TRUE(fs::is_block_file(at("disk")));
  ASSERT_EQ(mknod(at("socket").c_str(), S_IFSOCK | 0600, 0), 0);
  EXPECT_NE(refused(at("socket")).find("is a socket"), std::string::npos);
}

}  // namespace
}  // namespace memlayers::base
