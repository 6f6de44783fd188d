// Text to ConfigNode. JSON goes through nlohmann-json (exact escapes, fast on large results), everything else
// through yaml-cpp's events; both feed one bounded builder.

#include "base/yaml_document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/utf8.h"

namespace memlayers::base {

ConfigNode ConfigNode::plain(std::string text) {
  ConfigNode node;
  node.kind = Kind::kPlain;
  node.text = std::move(text);
  return node;
}

ConfigNode ConfigNode::quoted(std::string text) {
  ConfigNode node = plain(std::move(text));
  node.kind = Kind::kText;
  return node;
}

void ConfigNode::add(std::string key, ConfigNode item) {
  kind = Kind::kMapping;
  keys.push_back({std::move(key), item});
  items.push_back(std::move(item));
}

namespace {

using Kind = ConfigNode::Kind;

/// Grows the tree from a stream of events; every event that adds nodes is counted.
class Builder {
 public:
  explicit Builder(const std::string& origin) : origin_(origin) {}

  void scalar(Kind kind, std::string text, int line, size_t anchor = 0) {
    count({1, text.size()}, line);
    ConfigNode node;
    node.kind = kind;
    node.text = std::move(text);
    node.line = line;
    remember(anchor, node);
    place(std::move(node));
  }

  void begin(Kind kind, int line, size_t anchor = 0) {
    count({1, 0}, line);
    if (open_.size() >= kMaxConfigDepth) fail(line, concat("nested deeper than ", kMaxConfigDepth, " levels"));
    open_.push_back({});
    open_.back().node.kind = kind;
    open_.back().node.line = line;
    open_.back().anchor = anchor;
  }

  void end() {
    Open last = std::move(open_.back());
    open_.pop_back();
    remember(last.anchor, last.node);
    place(std::move(last.node));
  }

  /// In JSON keys come as such; in YAML a mapping's next node is its key when none is pending.
  void key(std::string name, int line) {
    Open& mapping = open_.back();
    if (!mapping.seen.insert(name).second) fail(line, concat("duplicate key ", shown_text(name)));
    mapping.node.keys.push_back({std::move(name), line});
    mapping.key_pending = true;
  }

  void alias(size_t anchor, int line) {
    auto found = anchored_.find(anchor);
    if (found == anchored_.end()) fail(line, "an alias refers to a node that contains it");
    count(found->second.size, line);
    place(found->second.node);
  }

  ConfigNode take() { return std::move(root_); }

  [[noreturn]] void fail(int line, const std::string& reason) const {
    throw UsageError(concat(origin_, ":", line, ": ", reason));
  }

 private:
  struct Open {
    ConfigNode node;
    std::unordered_set<std::string> seen;
    size_t anchor = 0;
    bool key_pending = false;
  };
  /// What a part of the tree takes: each alias costs as much as the node it repeats.
  struct Size {
    size_t nodes, bytes;
  };
  struct Anchored {
    ConfigNode node;
    Size size;
  };

  void count(Size size, int line) {
    total_.nodes += size.nodes;
    total_.bytes += size.bytes;
    if (total_.nodes > kMaxConfigNodes) fail(line, concat("more than ", kMaxConfigNodes, " values (aliases included)"));
    if (total_.bytes > 2 * kMaxConfigBytes) fail(line, "its aliases multiply the text beyond what is accepted");
  }

  static Size size_of(const ConfigNode& node) {
    Size size = {1, node.text.size()};
    for (const ConfigNode::Key& key : node.keys) size.bytes += key.name.size();
    for (const ConfigNode& item : node.items) {
      const Size inner = size_of(item);
      size.nodes += inner.nodes;
      size.bytes += inner.bytes;
    }
    return size;
  }

  static int depth_of(const ConfigNode& node) {
    int depth = 0;
    for (const ConfigNode& item : node.items) depth = std::max(depth, depth_of(item));
    return depth + 1;
  }

  void remember(size_t anchor, const ConfigNode& node) {
    if (anchor == 0) return;
    const Size size = size_of(node);
    count(size, node.line);  // the copy kept for aliases takes memory too
    anchored_.insert_or_assign(anchor, Anchored{node, size});
  }

  void place(ConfigNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == Kind::kMapping && !parent.key_pending) {
      if (node.kind != Kind::kPlain && node.kind != Kind::kText) fail(node.line, "a key must be a word");
      return key(std::move(node.text), node.line);
    }
    if (static_cast<int>(open_.size()) + depth_limit_of(node) > kMaxConfigDepth) {
      fail(node.line, concat("nested deeper than ", kMaxConfigDepth, " levels"));
    }
    parent.key_pending = false;
    parent.node.items.push_back(std::move(node));
  }

  /// Only a node with items (an alias may bring one) can add depth that begin() has not seen.
  static int depth_limit_of(const ConfigNode& node) { return node.items.empty() ? 0 : depth_of(node) - 1; }

  const std::string& origin_;
  std::vector<Open> open_;
  std::unordered_map<size_t, Anchored> anchored_;
  Size total_ = {0, 0};
  ConfigNode root_;
};

class YamlEvents : public YAML::EventHandler {
 public:
  explicit YamlEvents(Builder& builder) : builder_(builder) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    builder_.scalar(Kind::kNull, "", mark.line + 1, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override { builder_.alias(anchor, mark.line + 1); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // The text is UTF-8, but yaml-cpp 0.7 makes single bytes of the escapes \_ and \N.
    if (!is_utf8(value)) builder_.fail(mark.line + 1, "the escapes \\_ and \\N are not understood");
    builder_.scalar(scalar_kind(mark, tag), value, mark.line + 1, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag, "seq");
    builder_.begin(Kind::kSequence, mark.line + 1, anchor);
  }
  void OnSequenceEnd() override { builder_.end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_tag(mark, tag, "map");
    builder_.begin(Kind::kMapping, mark.line + 1, anchor);
  }
  void OnMapEnd() override { builder_.end(); }

 private:
  // yaml-cpp's tags: "?" plain, "!" quoted, or the explicit tag written out.
  Kind scalar_kind(const YAML::Mark& mark, const std::string& tag) const {
    if (tag == "!" || tag == kStandard + "str") return Kind::kText;
    for (const char* name : {"int", "float", "bool"}) {
      if (tag == kStandard + name) return Kind::kPlain;
    }
    if (!tag.empty() && tag != "?") builder_.fail(mark.line + 1, concat("tag ", shown_text(tag), " is not understood"));
    return Kind::kPlain;
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag, const char* allowed) const {
    if (tag.empty() || tag == "?" || tag == "!" || tag == kStandard + allowed) return;
    builder_.fail(mark.line + 1, concat("tag ", shown_text(tag), " is not understood"));
  }

  const std::string kStandard = "tag:yaml.org,2002:";
  Builder& builder_;
};

/// Where the JSON parser is reading: it takes at most one character beyond the token it reports.
struct LineCounter {
  int newlines = 0;
  bool last_was_newline = false;
  int line() const { return 1 + newlines - (last_was_newline ? 1 : 0); }
};

class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, LineCounter* counter) : at_(at), counter_(counter) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    counter_->last_was_newline = *at_ == '\n';
    counter_->newlines += counter_->last_was_newline;
    ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  LineCounter* counter_;
};

class JsonEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonEvents(Builder& builder, const LineCounter& counter) : builder_(builder), counter_(counter) {}

  bool null() override { return scalar(Kind::kNull, ""); }
  bool boolean(bool value) override { return scalar(Kind::kPlain, value ? "true" : "false"); }
  bool number_integer(int64_t value) override { return scalar(Kind::kPlain, std::to_string(value)); }
  bool number_unsigned(uint64_t value) override { return scalar(Kind::kPlain, std::to_string(value)); }
  bool number_float(double, const std::string& text) override { return scalar(Kind::kPlain, text); }
  bool string(std::string& value) override { return scalar(Kind::kText, std::move(value)); }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(size_t) override { return begin(Kind::kMapping); }
  bool start_array(size_t) override { return begin(Kind::kSequence); }
  bool key(std::string& name) override {
    builder_.key(std::move(name), counter_.line());
    return true;
  }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

 private:
  bool scalar(Kind kind, std::string text) {
    builder_.scalar(kind, std::move(text), counter_.line());
    return true;
  }
  bool begin(Kind kind) {
    builder_.begin(kind, counter_.line());
    return true;
  }
  bool end() {
    builder_.end();
    return true;
  }

  Builder& builder_;
  const LineCounter& counter_;
};

/// Strict JSON into `builder`; false if the text is something else (then it is read as YAML).
bool parse_json(const std::string& text, Builder& builder) {
  LineCounter counter;
  JsonEvents events(builder, counter);
  return nlohmann::json::sax_parse(CountingIterator(text.data(), &counter),
                                   CountingIterator(text.data() + text.size(), &counter), &events);
}

}  // namespace

std::string shown_text(std::string_view text) {
  constexpr size_t kLongest = 60;
  size_t end = std::min(text.size(), kLongest);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  std::string shown(text.substr(0, end));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return end < text.size() ? shown + "..." : shown;
}

void check_config_text(const std::string& text, const std::string& origin) {
  check(text.size() <= kMaxConfigBytes, origin, ": larger than ", kMaxConfigBytes >> 20, " MiB");
  int line = 1;
  for (std::string_view rest = text; !rest.empty(); ++line) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view part = rest.substr(0, end);
    for (const char c : part) {
      const auto code = static_cast<unsigned char>(c);
      const bool control = code < 0x20 && c != '\r' && c != '\t';
      check(!control, origin, ":", line, ": control character ", static_cast<int>(code), ", so this is not text");
    }
    check(is_utf8(part), origin, ":", line, ": not UTF-8 text");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

ConfigNode parse_yaml(const std::string& text, const std::string& origin) {
  check_config_text(text, origin);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && (text[first] == '{' || text[first] == '[')) {
    Builder builder(origin);
    if (parse_json(text, builder)) return builder.take();
  }
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Builder builder(origin);
    YamlEvents events(builder);
    if (!parser.HandleNextDocument(events)) return {};
    ConfigNode root = builder.take();
    Builder rest(origin);
    YamlEvents more(rest);
    if (parser.HandleNextDocument(more)) {
      throw UsageError(concat(origin, ": holds several YAML documents; expected one"));
    }
    return root;
  } catch (const YAML::Exception& error) {
    throw UsageError(concat(origin, ":", error.mark.line + 1, ": not valid YAML: ", shown_text(error.msg)));
  }
}

}  // namespace memlayers::base
