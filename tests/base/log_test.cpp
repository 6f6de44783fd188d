#include "base/log.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include <sys/wait.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/tensorboard.h"
#include "base/threads.h"

namespace memlayers::base {
namespace {

TEST(Human, WritesCountsBytesAndDurations) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(950), "950");
  EXPECT_EQ(human_count(8123), "8.1 k");
  EXPECT_EQ(human_count(1.7e6), "1.7 M");
  EXPECT_EQ(human_count(134.1e6), "134 M");
  EXPECT_EQ(human_count(999.96e3), "1.0 M");
  EXPECT_EQ(human_bytes(512), "512 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_duration(161), "2:41");
  EXPECT_EQ(human_duration(3725), "1:02:05");
  EXPECT_EQ(human_duration(-1), "0:00");
}

TEST(Progress, PrintsOnePlainLineAtTheEndWhenNotOnATerminal) {
  testing::internal::CaptureStderr();
  {
    Progress progress("train", 1000, "tokens");
    for (int i = 0; i < 1000; ++i) progress.update(uint64_t(i), "loss 3.2");
    progress.finish("loss 3.1");
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_NE(text.find("train  100%  1.0 k/1.0 k tokens"), std::string::npos) << text;
  EXPECT_NE(text.find("loss 3.1"), std::string::npos) << text;
}

TEST(Interrupt, IsAFlagSetByTheSignal) {
  watch_for_interrupt();
  EXPECT_FALSE(interrupted());
  raise(SIGTERM);
  EXPECT_TRUE(interrupted());
  set_interrupted(false);
  EXPECT_FALSE(interrupted());
}

TEST(Interrupt, EndsTheProcessAtTheSecondSignal) {
  const pid_t child = fork();
  if (child == 0) {
    watch_for_interrupt();
    raise(SIGINT);
    usleep(2'100'000);
    raise(SIGINT);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT);
}

TEST(Interrupt, TakesASignalDeliveredTwiceForOne) {
  const pid_t child = fork();
  if (child == 0) {
    watch_for_interrupt();
    raise(SIGTERM);
    raise(SIGTERM);
    _exit(interrupted() ? 42 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(Cpu, KnowsItsProcess) {
  EXPECT_GE(core_count(), 1);
  EXPECT_GT(resident_bytes(), 1 << 20);
  EXPECT_GE(peak_resident_bytes(), resident_bytes() / 2);
  EXPECT_FALSE(cpu_model_name().empty());
}

TEST(Cpu, RefusesAnUnknownInstructionSet) {
  EXPECT_EXIT(
      {
        setenv("MEMLAYERS_ISA", "neon", 1);
        try {
          isa();
        } catch (const UsageError& error) {
          std::fputs(error.what(), stderr);
          std::exit(2);
        }
        std::exit(0);
      },
      testing::ExitedWithCode(2), "MEMLAYERS_ISA=neon: expected baseline, avx2, avx512 or amx");
}

TEST(Threads, AreNoMoreThanProcessorsAndSayThatOnce) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(useful_threads(1), 1);
  EXPECT_EQ(useful_threads(core_count()), core_count());
  EXPECT_EQ(useful_threads(core_count() + 1998), core_count());
  EXPECT_EQ(useful_threads(core_count() + 1998), core_count());
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_NE(said.find(concat(core_count() + 1998, " threads were asked for")), std::string::npos) << said;
  EXPECT_EQ(useful_threads(int64_t{1} << 62), core_count());
}

TEST(Tensorboard, ChecksumsAsPublished) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
}

// Reads the records back by the format's definition, checking both checksums.
std::vector<std::string> records(const std::string& file) {
  const auto word = [&](size_t at, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value |= uint64_t{static_cast<unsigned char>(file.at(at + i))} << (8 * i);
    return value;
  };
  const auto masked = [](const std::string& bytes) {
    const uint32_t crc = crc32c(bytes);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  };
  std::vector<std::string> result;
  for (size_t at = 0; at < file.size();) {
    const size_t length = word(at, 8);
    EXPECT_EQ(word(at + 8, 4), masked(file.substr(at, 8)));
    result.push_back(file.substr(at + 12, length));
    EXPECT_EQ(word(at + 12 + length, 4), masked(result.back()));
    at += 16 + length;
  }
  return result;
}

TEST(Tensorboard, WritesRecordsThatReadBack) {
  const fs::path folder = fs::temp_directory_path() / concat("memlayers_events_", getpid());
  fs::path path;
  {
    EventWriter writer(folder, 7);
    writer.add_scalar("loss", 300, 2.5);
    path = writer.path();
  }
  const auto events = records(read_text(path));
  fs::remove_all(folder);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].substr(9), std::string("\x1a\x0d", 2) + "brain.Event:2");
  // step: field 2; session_log: field 7; status: field 1, START = 1. Readers drop what older files hold of step 7 and
  // later.
  EXPECT_EQ(events[1].substr(9), std::string("\x10\x07\x3a\x02\x08\x01", 6));
  // step: field 2, varint 300 = ac 02; summary: field 5; value: field 1; tag "loss"; simple_value 2.5f = 00 00 20 40
  EXPECT_EQ(events[2].substr(9), std::string("\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\x00\x00\x20\x40", 18));
}

}  // namespace
}  // namespace memlayers::base
