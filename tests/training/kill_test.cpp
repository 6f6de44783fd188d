// Training in a child process that is killed: what is on disk must be enough to go on bit for bit.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "model/run_checkpoint.h"
#include "support/tiny_run.h"

namespace memlayers::training {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolderVariable = "MEMLAYERS_TEST_CHILD_FOLDER";
constexpr int64_t kSteps = 400;

TrainConfig child_config(const fs::path& folder, const std::string& name) {
  TrainConfig config = tests::tiny_run(folder / "data", folder / name);
  config.steps = kSteps;
  config.checkpoint_every = 20;
  config.keep_checkpoints = 2;
  return config;
}

// Not a test: the child's main program. 0 finished, 3 interrupted and saved.
TEST(Child, DISABLED_Trains) {
  TrainOptions options;
  options.resume = true;
  std::_Exit(train(child_config(std::getenv(kFolderVariable), "killed"), options) == TrainEnd::kFinished ? 0 : 3);
}

/// A fresh process, not a fork alone: OpenMP's threads do not survive one.
pid_t start_child(const fs::path& folder) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setenv(kFolderVariable, folder.c_str(), 1);
  ::execl("/proc/self/exe", "kill_test", "--gtest_filter=Child.DISABLED_Trains", "--gtest_also_run_disabled_tests",
          "--gtest_brief=1", static_cast<char*>(nullptr));
  std::_Exit(127);
}

int64_t newest_step(const fs::path& run) {
  const auto checkpoints = model::list_checkpoints(run);
  return checkpoints.empty() ? 0 : checkpoints.back().step;
}

/// Runs the child until a checkpoint after `step` is there and a little longer, then sends `signal`. Returns the wait
/// status, or nothing if the child had finished before.
std::optional<int> run_and_signal(const fs::path& folder, int64_t step, int signal, int extra_milliseconds) {
  const pid_t child = start_child(folder);
  int status = 0;
  while (newest_step(folder / "killed") <= step) {
    if (::waitpid(child, &status, WNOHANG) == child) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(extra_milliseconds));
  ::kill(child, signal);
  ::waitpid(child, &status, 0);
  return status;
}

class Killed : public ::testing::Test {
 protected:
  Killed() {
    setenv("MEMLAYERS_LOG", "error", 0);
    tests::write_tiny_data(folder_.path() / "data");
  }
  void finish_and_compare() {
    const pid_t child = start_child(folder_.path());
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    train(child_config(folder_.path(), "whole"), {});
    for (const char* name : {"model.safetensors", "training_state.safetensors"}) {
      EXPECT_TRUE(base::read_text(newest_checkpoint(folder_.path() / "whole") / name) ==
                  base::read_text(newest_checkpoint(folder_.path() / "killed") / name))
          << name << " differs";
    }
    EXPECT_EQ(losses("whole"), losses("killed"));
  }
  std::vector<std::pair<int64_t, double>> losses(const std::string& name) const {
    std::vector<std::pair<int64_t, double>> found;
    std::istringstream lines(base::read_text(folder_.path() / name / "metrics.jsonl"));
    for (std::string text; std::getline(lines, text);) {
      const auto line = nlohmann::json::parse(text);
      found.emplace_back(line["step"], line["loss"]);
    }
    return found;
  }

  tests::TemporaryFolder folder_;
};

TEST_F(Killed, RunKilledThreeTimesEndsWithTheSameBytes) {
  int killed = 0;
  for (int64_t step : {0, 60, 150}) {
    const auto status = run_and_signal(folder_.path(), step, SIGKILL, int(7 * (killed + 1)));
    ASSERT_TRUE(status) << "the child finished before it could be killed";
    EXPECT_TRUE(WIFSIGNALED(*status) && WTERMSIG(*status) == SIGKILL);
    ++killed;
  }
  finish_and_compare();
}

TEST_F(Killed, TerminatedRunSavesAndEndsWithTheSameBytes) {
  const auto status = run_and_signal(folder_.path(), 40, SIGTERM, 10);
  ASSERT_TRUE(status);
  ASSERT_TRUE(WIFEXITED(*status));
  EXPECT_EQ(WEXITSTATUS(*status), 3);
  const auto lines = losses("killed");
  EXPECT_EQ(newest_step(folder_.path() / "killed"), lines.back().first) << "saved at the step it stopped at";
  finish_and_compare();
}

}  // namespace
}  // namespace memlayers::training
