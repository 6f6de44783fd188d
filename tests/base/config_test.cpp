#include "base/config.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <filesystem>
#include <functional>
#include <map>

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/enum_names.h"
#include "base/error.h"
#include "base/file.h"

namespace memlayers::base {
namespace {

enum class Color { kRed, kDarkBlue };
constexpr auto enum_names(Color) {
  return std::array{std::pair{Color::kRed, "red"}, std::pair{Color::kDarkBlue, "dark_blue"}};
}

struct Inner {
  double rate = 0.001;
  int64_t hidden_size = 64;
  static constexpr auto fields() {
    return std::tuple{field("rate", &Inner::rate, "peak rate"), field("hidden_size", &Inner::hidden_size, "width")};
  }
  bool operator==(const Inner&) const = default;
};

struct Everything {
  bool flag = false;
  int32_t small = 7;
  int64_t large = -1;
  uint64_t seed = 1;
  double real = 0.5;
  std::string text = "plain";
  Color color = Color::kRed;
  Inner inner;
  std::vector<int64_t> numbers = {1, 2};
  std::vector<std::string> words;
  std::vector<bool> switches;
  std::vector<Color> colors;
  std::vector<Inner> parts;
  std::optional<int64_t> maybe;
  std::optional<Inner> extra;
  std::map<std::string, double> weights;
  std::map<std::string, Inner> named;

  static constexpr auto fields() {
    using C = Everything;
    return std::tuple{field("flag", &C::flag, "a switch"),
                      field("small", &C::small, "32 bits"),
                      field("large", &C::large, "64 bits"),
                      field("seed", &C::seed, "unsigned"),
                      field("real", &C::real, "a number"),
                      field("text", &C::text, "words"),
                      field("color", &C::color, "one of two"),
                      field("inner", &C::inner, "a section"),
                      field("numbers", &C::numbers, "whole numbers"),
                      field("words", &C::words, "texts"),
                      field("switches", &C::switches, "booleans"),
                      field("colors", &C::colors, "names"),
                      field("parts", &C::parts, "sections"),
                      field("maybe", &C::maybe, "may be unset"),
                      field("extra", &C::extra, "may be absent"),
                      field("weights", &C::weights, "by name"),
                      field("named", &C::named, "sections by name")};
  }
  bool operator==(const Everything&) const = default;
};

Everything parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_config<Everything>(text, "run.yaml", overrides);
}

/// The message of the UsageError that parsing throws; each must be one line.
std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse(text, overrides);
  } catch (const UsageError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  }
  return "accepted";
}

/// Every member away from its default, with the texts that YAML would like to misread.
Everything unusual() {
  Everything config;
  config.flag = true;
  config.small = std::numeric_limits<int32_t>::min();
  config.large = std::numeric_limits<int64_t>::min();
  config.seed = std::numeric_limits<uint64_t>::max();
  config.real = 1.0 / 3;
  config.text = "no: #\n\"quoted\" \\ \t\x01\x7f ~ \xc3\xa9 'x'";
  config.color = Color::kDarkBlue;
  config.inner = {1e-300, 5};
  config.numbers = {-3, 0, 9007199254740993};
  config.words = {"",     "null", "yes",      "12",   "1e5",  "~", "- a", "{b}",
                  "true", ".inf", " padded ", "a: b", "0x10", "=", "<<"};
  config.switches = {true, false, true};
  config.colors = {Color::kDarkBlue, Color::kRed};
  config.parts = {{1e-8, 2}, {3.0, 4}};
  config.maybe = 0;
  config.extra = Inner{-0.0, 1};
  config.weights = {{"a b", 1.5}, {"12", std::numeric_limits<double>::infinity()}, {"c.d", -1e22}, {"", 0}};
  config.named = {{"null", {2.5, 6}}, {"x", {}}};
  return config;
}

TEST(Config, EmptyTextKeepsEveryDefault) {
  EXPECT_EQ(parse(""), Everything{});
  EXPECT_EQ(parse("# only a comment\n"), Everything{});
  EXPECT_EQ(parse("{}"), Everything{});
}

TEST(Config, ReadsEveryKindOfMemberFromYaml) {
  const Everything config = parse(R"(
flag: true
small: -5
large: 9223372036854775807
seed: 18446744073709551615
real: 3e-4
text: some words
color: dark_blue
inner: {rate: 2}
numbers: [4, 12, 20]
words:
  - a
  - "b"
switches: [true, false]
colors: [red, dark_blue]
parts:
  - rate: 0.25
  - hidden_size: 3
maybe: 9
extra: {hidden_size: 8}
weights: {x: 1, y: .inf}
named:
  first: {rate: 1}
)");
  EXPECT_TRUE(config.flag);
  EXPECT_EQ(config.small, -5);
  EXPECT_EQ(config.large, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(config.seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(config.real, 3e-4);
  EXPECT_EQ(config.text, "some words");
  EXPECT_EQ(config.color, Color::kDarkBlue);
  EXPECT_EQ(config.inner, (Inner{2, 64}));
  EXPECT_EQ(config.numbers, (std::vector<int64_t>{4, 12, 20}));
  EXPECT_EQ(config.words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config.switches, (std::vector<bool>{true, false}));
  EXPECT_EQ(config.colors, (std::vector<Color>{Color::kRed, Color::kDarkBlue}));
  EXPECT_EQ(config.parts, (std::vector<Inner>{{0.25, 64}, {0.001, 3}}));
  EXPECT_EQ(config.maybe, 9);
  EXPECT_EQ(config.extra, (Inner{0.001, 8}));
  EXPECT_EQ(config.weights, (std::map<std::string, double>{{"x", 1}, {"y", std::numeric_limits<double>::infinity()}}));
  EXPECT_EQ(config.named, (std::map<std::string, Inner>{{"first", {1, 64}}}));
}

TEST(Config, ReadsJsonWithEscapesAndLineNumbers) {
  const Everything config = parse("{\"text\": \"a\\u00e9\\n\", \"real\": 1E2, \"numbers\": [1],\n \"maybe\": null}");
  EXPECT_EQ(config.text, "a\xc3\xa9\n");
  EXPECT_EQ(config.real, 100);
  EXPECT_EQ(config.numbers, (std::vector<int64_t>{1}));
  EXPECT_EQ(refusal("{\n\"flag\": true,\n\"sed\": 1}"), "run.yaml:3: unknown key sed (did you mean seed?)");
}

TEST(Config, OverridesWinOverTheFileWhichWinsOverDefaults) {
  const std::string text = "small: 1\nlarge: 2\n";
  EXPECT_EQ(parse(text).small, 1);
  const Everything config = parse(text, {"large=3", "inner.rate=7", "large=4"});
  EXPECT_EQ(config.small, 1);
  EXPECT_EQ(config.large, 4);
  EXPECT_EQ(config.inner, (Inner{7, 64}));
  EXPECT_EQ(config.seed, 1u);
}

TEST(Config, OverrideValuesAreYaml) {
  Everything config;
  override_config(config, {"numbers=[7, 8]", "flag=true", "real=3e-4", "text=a=b.c", "inner={rate: 2}",
                           "color=dark_blue", "weights.q=4", "extra.hidden_size=3", "maybe=5", "words=[x]"});
  EXPECT_EQ(config.numbers, (std::vector<int64_t>{7, 8}));
  EXPECT_TRUE(config.flag);
  EXPECT_EQ(config.real, 3e-4);
  EXPECT_EQ(config.text, "a=b.c");
  EXPECT_EQ(config.inner, (Inner{2, 64}));
  EXPECT_EQ(config.color, Color::kDarkBlue);
  EXPECT_EQ(config.weights.at("q"), 4);
  EXPECT_EQ(config.extra, (Inner{0.001, 3}));
  override_config(config, {"maybe=null", "text=", "numbers=", "colors=red,dark_blue"});
  EXPECT_EQ(config.maybe, std::nullopt);
  EXPECT_EQ(config.text, "");
  EXPECT_TRUE(config.numbers.empty());
  EXPECT_EQ(config.colors, (std::vector<Color>{Color::kRed, Color::kDarkBlue}));
}

TEST(Config, OverridesReachListElementsByNumberAndAppendOne) {
  const std::string text = "parts: [{rate: 1}, {rate: 2}]";
  const Everything config = parse(text, {"parts.1.rate=5", "parts.2.hidden_size=9", "numbers.0=42", "numbers.2=43"});
  EXPECT_EQ(config.parts, (std::vector<Inner>{{1, 64}, {5, 64}, {0.001, 9}}));
  EXPECT_EQ(config.numbers, (std::vector<int64_t>{42, 2, 43}));
  EXPECT_EQ(refusal(text, {"parts.3.rate=1"}),
            "override parts.3.rate=1: parts: has 2 elements, so 3 is neither one of them nor the next");
  EXPECT_NE(refusal(text, {"parts.x.rate=1"}).find("expected the number of a list element, got x"), std::string::npos);
  EXPECT_NE(refusal(text, {"parts.-1.rate=1"}).find("got -1"), std::string::npos);
}

TEST(Config, FailedOverrideLeavesTheConfigurationAsItWas) {
  Everything config = unusual();
  EXPECT_THROW(override_config(config, {"seed=5", "parts.0.rate=8", "weights.new=1", "sed=4"}), UsageError);
  EXPECT_EQ(config, unusual());
}

TEST(Config, MalformedOverridesAreRefused) {
  EXPECT_NE(refusal("", {"seed"}).find("expected key=value"), std::string::npos);
  EXPECT_NE(refusal("", {"=3"}).find("expected key=value"), std::string::npos);
  EXPECT_NE(refusal("", {"inner..rate=3"}).find("empty part"), std::string::npos);
  EXPECT_NE(refusal("", {"inner.=3"}).find("empty part"), std::string::npos);
  EXPECT_EQ(refusal("", {"weights.\xff=3"}), "override:1: not UTF-8 text");
  EXPECT_NE(refusal("", {"seed.x=3"}).find("single value"), std::string::npos);
  EXPECT_NE(refusal("", {"numbers=[1"}).find("override numbers:1: not valid YAML"), std::string::npos);
  EXPECT_EQ(refusal("", {"iner.rate=3"}), "override iner.rate=3: unknown key iner (did you mean inner?)");
  EXPECT_EQ(refusal("", {"inner.rat=3"}), "override inner.rat=3: unknown key inner.rat (did you mean rate?)");
}

TEST(Config, UnknownKeyNamesFileLineAndNearestKey) {
  EXPECT_EQ(refusal("seed: 1\n\nfalg: true\n"), "run.yaml:3: unknown key falg (did you mean flag?)");
  EXPECT_EQ(refusal("inner:\n  hiden_size: 3\n"),
            "run.yaml:2: unknown key inner.hiden_size (did you mean hidden_size?)");
  EXPECT_EQ(refusal("parts:\n- {}\n- rates: 1\n"), "run.yaml:3: unknown key parts.1.rates (did you mean rate?)");
}

TEST(Config, KeyInTheWrongSectionNamesTheRightOne) {
  EXPECT_EQ(refusal("hidden_size: 3"), "run.yaml:1: unknown key hidden_size (did you mean named.NAME.hidden_size?)");
  EXPECT_EQ(refusal("inner: {seed: 3}"), "run.yaml:1: unknown key inner.seed (did you mean seed?)");
}

TEST(Config, KeyLikeNoneListsTheKnownOnes) {
  EXPECT_EQ(refusal("inner: {something: 3}"),
            "run.yaml:1: unknown key inner.something (known here: rate, hidden_size)");
}

TEST(Config, WrongTypesNameTheKeyTheExpectationAndTheValue) {
  EXPECT_EQ(refusal("seed: 1\nflag: 1"), "run.yaml:2: flag: expected true or false, got 1");
  EXPECT_EQ(refusal("flag: 'true'"), "run.yaml:1: flag: expected true or false, got the text \"true\"");
  EXPECT_EQ(refusal("small: 1.5"), "run.yaml:1: small: expected a whole number, got 1.5");
  EXPECT_EQ(refusal("small: '5'"), "run.yaml:1: small: expected a whole number, got the text \"5\"");
  EXPECT_EQ(refusal("real: fast"), "run.yaml:1: real: expected a number, got fast");
  EXPECT_EQ(refusal("text: [a]"), "run.yaml:1: text: expected a text, got a list");
  EXPECT_EQ(refusal("text:"), "run.yaml:1: text: expected a text, got nothing");
  EXPECT_EQ(refusal("inner: 3"), "run.yaml:1: inner: expected a section of keys, got 3");
  EXPECT_EQ(refusal("words: a"), "run.yaml:1: words: expected a list, got a");
  EXPECT_EQ(refusal("numbers: {a: 1}"), "run.yaml:1: numbers: expected a list, got a section");
  EXPECT_EQ(refusal("numbers: [1, x]"), "run.yaml:1: numbers.1: expected a whole number, got x");
  EXPECT_EQ(refusal("weights: [1]"), "run.yaml:1: weights: expected a section of keys, got a list");
  EXPECT_EQ(refusal("weights: {a: b}"), "run.yaml:1: weights.a: expected a number, got b");
  EXPECT_EQ(refusal("- 1"), "run.yaml:1: expected a section of keys, got a list");
  EXPECT_EQ(refusal("just words"), "run.yaml:1: expected a section of keys, got just words");
}

TEST(Config, EnumerationsNameTheirChoices) {
  EXPECT_EQ(refusal("color: dark_blu"),
            "run.yaml:1: color: expected one of red, dark_blue; got dark_blu (did you mean dark_blue?)");
  EXPECT_EQ(refusal("color: 0"), "run.yaml:1: color: expected one of red, dark_blue; got 0");
  EXPECT_EQ(refusal("color: {}"), "run.yaml:1: color: expected one of red, dark_blue; got a section");
}

TEST(Config, IntegersOutsideTheirTypeAreRefused) {
  EXPECT_EQ(refusal("small: 2147483648"),
            "run.yaml:1: small: expected a whole number from -2147483648 to 2147483647, got 2147483648");
  EXPECT_EQ(parse("small: 2147483647").small, 2147483647);
  EXPECT_NE(refusal("large: 9223372036854775808").find("from -9223372036854775808"), std::string::npos);
  EXPECT_EQ(parse("large: -9223372036854775808").large, std::numeric_limits<int64_t>::min());
  EXPECT_NE(refusal("seed: 18446744073709551616").find("from 0 to 18446744073709551615"), std::string::npos);
  EXPECT_NE(refusal("seed: -1").find("from 0 to"), std::string::npos);
  EXPECT_EQ(parse("seed: -0").seed, 0u);
  for (const char* text : {"1e3", "0x10", "1_000", "+1", "1 2", "--1", "", "99999999999999999999x"}) {
    EXPECT_NE(refusal(concat("large: ", text)), "accepted") << text;
  }
}

TEST(Config, NumbersMayBeInfiniteButOnlyByName) {
  EXPECT_EQ(parse("real: .inf").real, std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse("real: -.inf").real, -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(parse("real: .nan").real));
  for (const char* text : {"inf", "nan", "nan(7)", "infinity", "1e999", "-1e999", "0x1p3", "1e", ".", "-"}) {
    EXPECT_NE(refusal(concat("real: ", text)), "accepted") << text;
  }
  EXPECT_NE(refusal("real: 1e999").find("a number that a double can hold"), std::string::npos);
  EXPECT_NE(refusal("small: .inf"), "accepted");
  EXPECT_NE(refusal("small: .nan"), "accepted");
}

TEST(Config, DuplicateKeysAreRefused) {
  EXPECT_EQ(refusal("seed: 1\nseed: 2\n"), "run.yaml:2: duplicate key seed");
  EXPECT_EQ(refusal("{\"seed\": 1,\n\"seed\": 2}"), "run.yaml:2: duplicate key seed");
  EXPECT_EQ(refusal("inner:\n  rate: 1\n  rate: 1\n"), "run.yaml:3: duplicate key rate");
}

TEST(Config, BrokenYamlNamesItsLine) {
  EXPECT_EQ(refusal("seed: 1\ninner: [1, 2\n").substr(0, 11), "run.yaml:3:");
  EXPECT_NE(refusal("a: b: c").find("not valid YAML"), std::string::npos);
  EXPECT_NE(refusal("text: \"open").find("not valid YAML"), std::string::npos);
  EXPECT_NE(refusal("seed: 1\n---\nseed: 2\n").find("several YAML documents"), std::string::npos);
  EXPECT_NE(refusal("text: !!binary aGVsbG8=").find("is not understood"), std::string::npos);
  EXPECT_NE(refusal("text: *nowhere"), "accepted");
  EXPECT_EQ(refusal("text: \"a\\_b\""), "run.yaml:1: the escapes \\_ and \\N are not understood");
  EXPECT_EQ(parse("text: \"a\\xa0\\u20ac\"").text, "a\xc2\xa0\xe2\x82\xac");
  EXPECT_NE(refusal("[a]: 1").find("a key must be a word"), std::string::npos);
}

TEST(Config, BinaryFilesAreRefused) {
  EXPECT_EQ(refusal(std::string("seed: 1\n\0", 9)), "run.yaml:2: control character 0, so this is not text");
  EXPECT_EQ(refusal("text: a\x04"), "run.yaml:1: control character 4, so this is not text");
  for (const char* bytes : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_EQ(refusal(concat("seed: 1\ntext: ", bytes)), "run.yaml:2: not UTF-8 text");
  }
  EXPECT_EQ(parse("text: \xe2\x82\xac\xf0\x9f\x99\x82").text, "\xe2\x82\xac\xf0\x9f\x99\x82");
}

TEST(Config, DeepNestingIsRefusedInOneLine) {
  for (const char bracket : {'[', '{'}) {
    EXPECT_NE(refusal(std::string(100'000, bracket)).find("nested deeper than 64 levels"), std::string::npos);
  }
  std::string json;
  for (int i = 0; i < 50'000; ++i) json += "{\"a\":";
  EXPECT_NE(refusal(json).find("nested deeper than 64 levels"), std::string::npos);
  std::string block;
  for (int i = 0; i < 500; ++i) block += "- ";
  EXPECT_NE(refusal(block + "a").find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_NE(refusal("", {"numbers=" + std::string(1000, '[')}).find("nested deeper"), std::string::npos);
}

TEST(Config, AliasesWorkAndTheirBombsAreRefused) {
  EXPECT_EQ(parse("inner: &a {rate: 2}\nextra: *a").extra, (Inner{2, 64}));
  std::string wide = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    wide += concat("a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) wide += concat(j ? ", " : "", "*a", i - 1);
    wide += "]\n";
  }
  EXPECT_NE(refusal(wide).find("more than 2000000 values (aliases included)"), std::string::npos);

  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i) deep += concat("a", i, ": &a", i, " [*a", i - 1, "]\n");
  EXPECT_NE(refusal(deep).find("nested deeper than 64 levels"), std::string::npos);

  std::string heavy = "a: &a " + std::string(1 << 20, 'x') + "\nb: [*a";
  for (int i = 0; i < 1000; ++i) heavy += ", *a";
  EXPECT_NE(refusal(heavy + "]").find("aliases multiply the text"), std::string::npos);

  EXPECT_NE(refusal("words: &a [*a]"), "accepted");
}

TEST(Config, MessagesStayShortOnHostileTexts) {
  const std::string name(100'000, 'k');
  EXPECT_LT(refusal(name.substr(0, 1000) + ": 1").size(), 600u);
  EXPECT_LT(refusal("{\"" + name + "\": 1}").size(), 600u);
  EXPECT_LT(refusal("seed: " + name).size(), 300u);
  EXPECT_LT(refusal("color: " + name).size(), 300u);
  EXPECT_LT(refusal("{\"a\\nb\": 1}").size(), 600u);
  EXPECT_LT(refusal("", {name + "=1"}).size(), 600u);
}

TEST(Config, YamlDumpReadsBackEqual) {
  EXPECT_EQ(parse(config_to_yaml(Everything{})), Everything{});
  EXPECT_EQ(parse(config_to_yaml(unusual())), unusual()) << config_to_yaml(unusual());
  EXPECT_TRUE(std::signbit(parse(config_to_yaml(unusual())).extra->rate));
}

TEST(Config, JsonDumpReadsBackEqualAndKeepsTheOrderOfDeclaration) {
  const nlohmann::ordered_json json = config_to_json(unusual());
  EXPECT_EQ(parse(json.dump()), unusual());
  EXPECT_EQ(parse(json.dump(2)), unusual());
  EXPECT_EQ(json.begin().key(), "flag");
  EXPECT_TRUE(json["flag"].is_boolean());
  EXPECT_TRUE(json["seed"].is_number_unsigned());
  EXPECT_EQ(json["seed"].get<uint64_t>(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(json["real"].get<double>(), 1.0 / 3);
  EXPECT_EQ(json["words"][3], "12");
  EXPECT_TRUE(config_to_json(Everything{})["maybe"].is_null());
  EXPECT_EQ(config_to_json(Inner{3, 4}).dump(), R"({"rate":3.0,"hidden_size":4})");
}

TEST(Config, SmallNumbersAreDumpedAsEveryYamlReaderTakesThem) {
  EXPECT_EQ(config_to_yaml(Inner{1e-8, 1}), "rate: 1.0e-08\nhidden_size: 1\n");
  EXPECT_EQ(config_to_yaml(Inner{2, 1}), "rate: 2.0\nhidden_size: 1\n");
}

TEST(Config, LoadsFilesAndNamesThemInErrors) {
  const fs::path path = fs::temp_directory_path() / concat("memlayers_config_test_", getpid(), ".yaml");
  write_text_atomically(path, "seed: 3\n");
  EXPECT_EQ(load_config<Everything>(path, {"small=2"}).seed, 3u);
  write_text_atomically(path, "seeds: 3\n");
  try {
    load_config<Everything>(path);
    ADD_FAILURE() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_EQ(error.what(), path.string() + ":1: unknown key seeds (did you mean seed?)");
  }
  fs::remove(path);
  EXPECT_THROW(load_config<Everything>(path), IoError);
  EXPECT_THROW(load_config<Everything>(fs::temp_directory_path()), IoError);
}

std::vector<std::string>& calls() {
  static std::vector<std::string> names;
  return names;
}

struct Checked {
  int64_t size = 0;
  static constexpr auto fields() { return std::tuple{field("size", &Checked::size, "must be positive; 0 becomes 1")}; }
  void validate() {
    check(size >= 0, "size must not be negative, got ", size);
    calls().push_back(concat("inner ", size));
    if (size == 0) size = 1;
  }
};

struct Outer {
  Checked one;
  std::vector<Checked> list;
  std::map<std::string, Checked> map;
  std::optional<Checked> maybe;
  static constexpr auto fields() {
    return std::tuple{field("one", &Outer::one, "a"), field("list", &Outer::list, "b"), field("map", &Outer::map, "c"),
                      field("maybe", &Outer::maybe, "d")};
  }
  void validate() const { calls().push_back(concat("outer ", one.size)); }
};

TEST(Config, ValidatesInnerStructuresFirstAndAfterTheOverrides) {
  calls().clear();
  const auto config = parse_config<Outer>("list: [{size: 2}, {size: 3}]\nmap: {a: {size: 4}}\nmaybe: {size: -1}", "x",
                                          {"maybe.size=5"});
  EXPECT_EQ(calls(), (std::vector<std::string>{"inner 0", "inner 2", "inner 3", "inner 4", "inner 5", "outer 1"}));
  EXPECT_EQ(config.one.size, 1);
}

TEST(Config, ValidationFailureNamesTheFile) {
  try {
    parse_config<Outer>("one: {size: -3}", "x.yaml");
    ADD_FAILURE() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "x.yaml: size must not be negative, got -3");
  }
  Outer config;
  EXPECT_THROW(override_config(config, {"list.0.size=-1"}), UsageError);
  EXPECT_TRUE(config.list.empty());
}

TEST(Config, HelpHasOneLineForEachField) {
  EXPECT_EQ(config_help<Inner>(), "rate         [0.001]  peak rate\nhidden_size  [64]  width\n");
  Everything defaults;
  defaults.weights = {{"a", 1}};
  const std::string help = config_help(defaults);
  for (const char* line :
       {"\ninner.rate              [0.001]  peak rate\n", "\nnumbers                 [[1, 2]]  whole numbers\n",
        "\nparts.N.rate            [0.001]  peak rate\n", "\nextra.hidden_size       [64]  width\n",
        "\nmaybe                   [null]  may be unset\n", "\nweights                 [{a: 1.0}]  by name\n",
        "\nnamed.NAME.hidden_size  [64]  width\n", "\ncolor                   [red]  one of two\n"}) {
    EXPECT_NE(help.find(line), std::string::npos) << line << " in\n" << help;
  }
  EXPECT_EQ(std::count(help.begin(), help.end(), '\n'), 21);
}

TEST(EnumNames, GoBothWays) {
  EXPECT_EQ(enum_name(Color::kDarkBlue), "dark_blue");
  EXPECT_EQ(enum_named<Color>("dark_blue"), Color::kDarkBlue);
  EXPECT_EQ(enum_named<Color>("darkblue"), std::nullopt);
  EXPECT_EQ(enum_choices<Color>(), (std::vector<std::string>{"red", "dark_blue"}));
}

struct Layered {
  std::string extends;
  base::IndexList layers;
  base::NameList names;
  std::map<std::string, int64_t> sizes;
  static constexpr auto fields() {
    using base::field;
    using C = Layered;
    return std::tuple{field("extends", &C::extends, ""), field("layers", &C::layers, ""), field("names", &C::names, ""),
                      field("sizes", &C::sizes, "")};
  }
};

std::string layered_refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const base::UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(IndexList, IsAListOrAllAndNothingElse) {
  Layered config = base::parse_config<Layered>("layers: all\nnames: a, b\n", "x.yaml");
  EXPECT_TRUE(config.layers.all);
  EXPECT_EQ(base::config_to_json(config)["layers"], "all");
  config.layers.resolve(3);
  EXPECT_EQ(config.layers, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(config.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(base::parse_config<Layered>("layers: 1, 3", "x.yaml").layers, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(base::parse_config<Layered>("", "x.yaml", {"layers=all"}).layers.all, true);
  const auto refused = [](const std::string& text) {
    return layered_refusal([&] { base::parse_config<Layered>(text, "x.yaml"); });
  };
  EXPECT_EQ(refused("layers: every"),
            "x.yaml:1: layers: expected all, or a list of whole numbers such as [1, 3], got every");
  EXPECT_NE(refused("layers: [all]"), "accepted");
  EXPECT_NE(refused("layers: [1, all]"), "accepted");
  EXPECT_NE(refused("layers: {all: 1}"), "accepted");
}

class ExtendingFiles : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_ / "below"); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const {
    base::write_text_atomically(folder_ / name, text);
  }
  Layered load(const std::string& name) const { return base::load_config<Layered>(folder_ / name); }
  std::filesystem::path folder_ = std::filesystem::path(::testing::TempDir()) / "memlayers_extending_files";
};

TEST_F(ExtendingFiles, JoinSectionsAndTakeListsFromTheExtendingOne) {
  write("below/base.yaml", "layers: [1, 2, 3]\nnames: [a]\nsizes: {one: 1, two: 2}\n");
  write("middle.yaml", "extends: below/base.yaml\nsizes: {two: 22, three: 3}\n");
  write("top.yaml", "layers: [0]\nextends: middle.yaml\n");
  const Layered config = load("top.yaml");
  EXPECT_EQ(config.layers, (std::vector<int64_t>{0}));
  EXPECT_EQ(config.names, (std::vector<std::string>{"a"}));
  EXPECT_EQ(config.sizes, (std::map<std::string, int64_t>{{"one", 1}, {"two", 22}, {"three", 3}}));
  EXPECT_EQ(config.extends, "");
}

TEST_F(ExtendingFiles, NameTheFileAndLineThatIsWrong) {
  write("base.yaml", "sizes: {one: 1}\nlayers: some\n");
  write("top.yaml", "# a comment\nextends: base.yaml\n");
  const auto refused = [&](const std::string& name) { return layered_refusal([&] { load(name); }); };
  EXPECT_NE(refused("top.yaml").find((folder_ / "base.yaml:2: layers").string()), std::string::npos)
      << refused("top.yaml");
  write("base.yaml", "names: [a]\nlayer: [1]\n");
  EXPECT_NE(refused("top.yaml").find((folder_ / "base.yaml:2: unknown key layer").string()), std::string::npos);
  write("top.yaml", "extends: base.yaml\n\nlayerz: [1]\n");
  write("base.yaml", "names: [a]\n");
  EXPECT_NE(refused("top.yaml").find((folder_ / "top.yaml:3: unknown key layerz").string()), std::string::npos);
  write("top.yaml", "\nextends: none.yaml\n");
  EXPECT_NE(refused("top.yaml").find((folder_ / "top.yaml:2: extends: there is no file").string()), std::string::npos);
  write("base.yaml", "extends: top.yaml\n");
  write("top.yaml", "extends: base.yaml\n");
  EXPECT_NE(refused("top.yaml").find("extends itself"), std::string::npos);
  write("top.yaml", "extends: [base.yaml]\n");
  EXPECT_NE(refused("top.yaml").find("expected the name of one file"), std::string::npos);
}

}  // namespace
}  // namespace memlayers::base
