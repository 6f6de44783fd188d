// Runs the tests of gtest/gtest.h beside this file: in the order they were added, one line each, 1 if any failed.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <string_view>

namespace testing {
namespace {

struct Test {
  std::string name;
  void (*body)();
};

std::vector<Test>& all_tests() {
  static std::vector<Test> tests;
  return tests;
}
std::vector<std::unique_ptr<Environment>>& environments() {
  static std::vector<std::unique_ptr<Environment>> all;
  return all;
}
int failures = 0;
bool skipped = false;

/// `pattern` may hold *.
bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') return matches(pattern.substr(1), name) || (!name.empty() && matches(pattern, name.substr(1)));
  return !name.empty() && pattern[0] == name[0] && matches(pattern.substr(1), name.substr(1));
}

bool selected(std::string_view filter, std::string_view name) {
  while (true) {
    const size_t end = filter.find(':');
    if (matches(filter.substr(0, end), name)) return true;
    if (end == std::string_view::npos) return false;
    filter.remove_prefix(end + 1);
  }
}

/// Milliseconds.
long run_one(const Test& test) {
  const auto begin = std::chrono::steady_clock::now();
  try {
    test.body();
  } catch (const std::exception& error) {
    report_failure(test.name.c_str(), 0, std::string("exception: ") + error.what());
  } catch (...) {
    report_failure(test.name.c_str(), 0, "an exception of an unknown kind");
  }
  const auto time = std::chrono::steady_clock::now() - begin;
  return long(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

}  // namespace

Environment* AddGlobalTestEnvironment(Environment* environment) {
  environments().emplace_back(environment);
  return environment;
}
bool add_test(const char* suite, const char* name, void (*body)()) {
  all_tests().push_back({std::string(suite) + "." + name, body});
  return true;
}
void report_failure(const char* file, int line, const std::string& what) {
  ++failures;
  std::printf("%s:%d: Failure\n%s\n", file, line, what.c_str());
  for (const std::string& trace : traces()) std::printf("  %s\n", trace.c_str());
}
void report_skip(const std::string& why) {
  skipped = true;
  std::printf("Skipped: %s\n", why.c_str());
}
std::vector<std::string>& traces() {
  static std::vector<std::string> all;
  return all;
}

}  // namespace testing

int main(int count, char** arguments) {
  using namespace testing;
  std::string_view filter = "*";
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument.starts_with("--gtest_filter=")) filter = argument.substr(argument.find('=') + 1);
  }
  for (const auto& environment : environments()) environment->SetUp();
  const bool skip_all = skipped;
  int run = 0, num_skipped = 0;
  std::vector<std::string> failed;
  for (const Test& test : all_tests()) {
    if (!selected(filter, test.name)) continue;
    ++run;
    skipped = skip_all;
    const int before = failures;
    const long time = skip_all ? 0 : run_one(test);
    const char* verdict = failures > before ? "[  FAILED  ]" : skipped ? "[  SKIPPED ]" : "[       OK ]";
    if (failures > before) failed.push_back(test.name);
    num_skipped += failures == before && skipped ? 1 : 0;
    std::printf("%s %s (%ld ms)\n", verdict, test.name.c_str(), time);
    std::fflush(stdout);
  }
  std::printf("[==========] %d tests ran.\n[  PASSED  ] %d tests.\n", run, run - num_skipped - int(failed.size()));
  if (num_skipped > 0) std::printf("[  SKIPPED ] %d tests.\n", num_skipped);
  for (const std::string& name : failed) std::printf("[  FAILED  ] %s\n", name.c_str());
  return failed.empty() ? 0 : 1;
}
