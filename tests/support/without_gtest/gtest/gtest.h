// What the op suites use of GoogleTest, for machines that have none (tools/gpu_check). Same names, same output, and
// --gtest_filter with one list of patterns; where GoogleTest is installed it is taken instead.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace testing {

class Message {
 public:
  template <class T>
  Message& operator<<(const T& value) {
    text_ << value;
    return *this;
  }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
};

class AssertionResult {
 public:
  template <class T>
  explicit AssertionResult(const T& truth) : truth_(static_cast<bool>(truth)) {}
  AssertionResult(const AssertionResult&) = default;

  explicit operator bool() const { return truth_; }
  const std::string& message() const { return message_; }
  template <class T>
  AssertionResult& operator<<(const T& value) {
    message_ += (Message() << value).text();
    return *this;
  }

 private:
  bool truth_;
  std::string message_;
};
inline AssertionResult AssertionSuccess() { return AssertionResult(true); }
inline AssertionResult AssertionFailure() { return AssertionResult(false); }

/// Set up once, before the first test; a skip there skips everything.
class Environment {
 public:
  virtual ~Environment() = default;
  virtual void SetUp() {}
};

// How the tests and their checks report.
Environment* AddGlobalTestEnvironment(Environment* environment);
bool add_test(const char* suite, const char* name, void (*body)());
void report_failure(const char* file, int line, const std::string& what);
void report_skip(const std::string& why);
std::vector<std::string>& traces();

struct Failure {
  const char* file;
  int line;
  std::string what;
  void operator=(const Message& message) const { report_failure(file, line, what + " " + message.text()); }
};
struct Skip {
  void operator=(const Message& message) const { report_skip(message.text()); }
};
struct Trace {
  explicit Trace(const std::string& text) { traces().push_back(text); }
  ~Trace() { traces().pop_back(); }
};

template <class T>
std::string shown(const T& value) {
  if constexpr (requires(std::ostream & out) { out << value; }) {
    return (Message() << value).text();
  } else {
    return "(not printable)";
  }
}
template <class A, class B, class Compare>
AssertionResult compared(const A& a, const B& b, const char* sign, Compare compare) {
  return AssertionResult(compare(a, b)) << "of " << shown(a) << " " << sign << " " << shown(b);
}
template <class Error>
bool throws(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error&) {
    return true;
  } catch (...) {}
  return false;
}

}  // namespace testing

#define MINI_CONCAT_(a, b) a##b
#define MINI_CONCAT(a, b) MINI_CONCAT_(a, b)
#define TEST(suite, name)                                                                                         \
  static void suite##_##name();                                                                                   \
  [[maybe_unused]] static const bool suite##_##name##_added = ::testing::add_test(#suite, #name, suite##_##name); \
  static void suite##_##name()

// The else belongs to the macro's own if, whatever stands around it.
#define MINI_CHECK(result, text, on_failure)                                  \
  switch (0)                                                                  \
  case 0:                                                                     \
  default:                                                                    \
    if (const ::testing::AssertionResult mini_result = (result); mini_result) \
      ;                                                                       \
    else                                                                      \
      on_failure ::testing::Failure{__FILE__, __LINE__, text + (" " + mini_result.message())} = ::testing::Message()
#define MINI_NOTHING
#define MINI_COMPARE(a, b, sign, on_failure)                                                          \
  MINI_CHECK(::testing::compared(a, b, #sign, [](const auto& x, const auto& y) { return x sign y; }), \
             std::string("expected " #a " " #sign " " #b), on_failure)

#define EXPECT_TRUE(condition) \
  MINI_CHECK(::testing::AssertionResult(condition), std::string(#condition " is false"), MINI_NOTHING)
#define ASSERT_TRUE(condition) \
  MINI_CHECK(::testing::AssertionResult(condition), std::string(#condition " is false"), return )
#define EXPECT_FALSE(condition)                                                                             \
  MINI_CHECK(::testing::AssertionResult(!static_cast<bool>(condition)), std::string(#condition " is true"), \
             MINI_NOTHING)
#define ASSERT_FALSE(condition) \
  MINI_CHECK(::testing::AssertionResult(!static_cast<bool>(condition)), std::string(#condition " is true"), return )
#define EXPECT_EQ(a, b) MINI_COMPARE(a, b, ==, MINI_NOTHING)
#define ASSERT_EQ(a, b) MINI_COMPARE(a, b, ==, return )
#define EXPECT_NE(a, b) MINI_COMPARE(a, b, !=, MINI_NOTHING)
#define EXPECT_LT(a, b) MINI_COMPARE(a, b, <, MINI_NOTHING)
#define EXPECT_LE(a, b) MINI_COMPARE(a, b, <=, MINI_NOTHING)
#define EXPECT_GT(a, b) MINI_COMPARE(a, b, >, MINI_NOTHING)
#define EXPECT_GE(a, b) MINI_COMPARE(a, b, >=, MINI_NOTHING)
#define EXPECT_NEAR(a, b, distance) MINI_COMPARE(std::abs((a) - (b)), distance, <=, MINI_NOTHING)
#define EXPECT_THROW(statement, error)                                                 \
  MINI_CHECK(::testing::AssertionResult(::testing::throws<error>([&] { statement; })), \
             std::string(#statement " does not throw " #error), MINI_NOTHING)
#define SCOPED_TRACE(text) const ::testing::Trace MINI_CONCAT(mini_trace_, __LINE__)(text)
#define GTEST_SKIP() return ::testing::Skip{} = ::testing::Message()
