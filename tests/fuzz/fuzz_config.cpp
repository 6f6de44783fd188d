// Configuration from any text: it is read, and then reads back equal from both dumps, or it is refused in one line.
//
// The input is the text of a file, then overrides, each after a byte 1 (which no text may hold).

#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/error.h"

namespace {

using memlayers::base::field;

enum class Choice { kFirst, kSecond };
constexpr auto enum_names(Choice) {
  return std::array{std::pair{Choice::kFirst, "first"}, std::pair{Choice::kSecond, "second"}};
}

struct Part {
  double d = 0.5;
  std::string s;
  static constexpr auto fields() { return std::tuple{field("d", &Part::d, ""), field("s", &Part::s, "")}; }
};

struct Whole {
  bool b = false;
  int32_t i = 0;
  uint64_t u = 0;
  std::string s;
  Choice c = Choice::kFirst;
  Part p;
  std::vector<Part> l;
  std::vector<int64_t> n;
  std::vector<std::string> t;
  std::optional<double> o;
  std::map<std::string, Part> m;
  static constexpr auto fields() {
    using W = Whole;
    return std::tuple{field("b", &W::b, ""), field("i", &W::i, ""), field("u", &W::u, ""), field("s", &W::s, ""),
                      field("c", &W::c, ""), field("p", &W::p, ""), field("l", &W::l, ""), field("n", &W::n, ""),
                      field("t", &W::t, ""), field("o", &W::o, ""), field("m", &W::m, "")};
  }
};

void require(bool condition, const std::string& what) {
  if (condition) return;
  std::cerr << "violated: " << what << "\n";
  std::abort();
}

/// Dumps are compared rather than structures, so that a NaN equals itself.
void check_dumps(const Whole& config) {
  using namespace memlayers::base;
  const std::string yaml = config_to_yaml(config);
  require(config_to_yaml(parse_config<Whole>(yaml, "yaml")) == yaml, "the YAML dump reads back equal\n" + yaml);
  const std::string json = config_to_json(config).dump();
  require(config_to_yaml(parse_config<Whole>(json, "json")) == yaml, "the JSON dump reads back equal\n" + json);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\x01'), size);
  std::vector<std::string> overrides;
  for (size_t at = end; at < size;) {
    const size_t next = std::min(input.find('\x01', at + 1), size);
    overrides.push_back(input.substr(at + 1, next - at - 1));
    at = next;
  }
  Whole config;
  try {
    config = memlayers::base::parse_config<Whole>(input.substr(0, end), "input", overrides);
  } catch (const memlayers::base::UsageError& error) {
    const std::string message = error.what();
    require(message.find('\n') == std::string::npos, "a message is one line: " + message);
    require(message.size() < 6000, "a message is short");
    return 0;
  }
  check_dumps(config);
  return 0;
}
