#include "text/tokenizer_json/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/utf8.h"
#include "text/tokenizer_json/format.h"

namespace memlayers::text {
namespace {

// What a single search may take: patterns of tokenizers need a few steps a character.
constexpr uint32_t kMostSteps = 20'000'000;
constexpr size_t kJitStackBytes = size_t{8} << 20;

// PCRE2's \s has U+180E, and its \w neither marks nor connectors; these are Unicode's White_Space and what is not, and
// the word characters, to stand inside of a class.
constexpr const char* kSpace =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
constexpr const char* kNoSpace =
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}"
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}";
constexpr const char* kWord = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}\\x{24b6}-\\x{24e9}";

/// The expression in PCRE2's words.
std::string translated(const std::string& expression) {
  std::string result;
  int depth = 0;  // of classes
  for (size_t i = 0; i < expression.size(); ++i) {
    const char c = expression[i];
    if (c == '\\' && i + 1 < expression.size()) {
      const char kind = expression[++i];
      require(kind != 'h' && kind != 'H', "the pattern holds \\", kind, ", which is not supported");
      if (kind == 's') {
        result += depth > 0 ? kSpace : std::string("[") + kSpace + "]";
      } else if (kind == 'S') {
        result += depth > 0 ? kNoSpace : std::string("[^") + kSpace + "]";
      } else if (kind == 'w') {
        result += depth > 0 ? kWord : std::string("[") + kWord + "]";
      } else if (kind == 'W' && depth == 0) {
        result += std::string("[^") + kWord + "]";
      } else {
        require(kind != 'W', "the pattern holds \\W in a class, which is not supported");
        result += {'\\', kind};
      }
      continue;
    }
    if (c == '[') {
      const bool posix = expression.compare(i, 2, "[:") == 0;
      require(depth == 0 || posix, "the pattern holds a class within a class, which is not supported");
      if (posix && depth > 0) {
        const size_t end = expression.find(":]", i);
        require(end != std::string::npos, "the pattern holds [: without :]");
        result.append(expression, i, end + 2 - i);
        i = end + 1;
        continue;
      }
      ++depth;
      result += c;
      // A bracket that comes first is a member.
      if (i + 1 < expression.size() && expression[i + 1] == '^') result += expression[++i];
      if (i + 1 < expression.size() && expression[i + 1] == ']') result += "\\" + std::string(1, expression[++i]);
      continue;
    }
    if (c == ']' && depth > 0) --depth;
    require(depth == 0 || expression.compare(i, 2, "&&") != 0,
            "the pattern holds && in a class, the part that two classes share, which is not supported");
    result += c;
  }
  return result;
}

std::string message_of(int error) {
  PCRE2_UCHAR text[200];
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct Pattern::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

namespace {

/// What matching needs beside the code; one a thread.
class Workspace {
 public:
  Workspace()
      : data_(pcre2_match_data_create(1, nullptr)),
        context_(pcre2_match_context_create(nullptr)),
        stack_(pcre2_jit_stack_create(32 << 10, kJitStackBytes, nullptr)) {
    if (data_ == nullptr || context_ == nullptr || stack_ == nullptr) throw std::bad_alloc();
    pcre2_set_match_limit(context_, kMostSteps);
    pcre2_set_heap_limit(context_, 64 << 10);  // KiB, of the interpreter
    pcre2_jit_stack_assign(context_, nullptr, stack_);
  }
  ~Workspace() {
    pcre2_match_data_free(data_);
    pcre2_match_context_free(context_);
    pcre2_jit_stack_free(stack_);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  pcre2_match_data* data() { return data_; }
  pcre2_match_context* context() { return context_; }

 private:
  pcre2_match_data* data_;
  pcre2_match_context* context_;
  pcre2_jit_stack* stack_;
};

}  // namespace

Pattern::Pattern(const std::string& expression) : source_(expression) {
  constexpr size_t kMostBytes = 64 << 10;
  require(expression.size() <= kMostBytes, "a pattern of ", expression.size(), " bytes is too long");
  const std::string own = translated(expression);
  auto code = std::make_shared<Code>();
  int error = 0;
  PCRE2_SIZE offset = 0;
  // Oniguruma's ^ and $ are those of lines.
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(own.data()), own.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error, &offset, nullptr);
  require(code->code != nullptr, "the pattern \"", source_.substr(0, base::character_boundary(source_, 60)),
          "\" does not compile: ", message_of(error));
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);  // where it cannot, the interpreter matches
  code_ = std::move(code);
}

Pattern Pattern::literal(const std::string& text) {
  Pattern pattern;
  pattern.literal_ = text;
  return pattern;
}

void Pattern::find_all(std::string_view text, std::vector<Span>& found) const {
  found.clear();
  if (!code_) {
    if (literal_.empty()) return;
    for (size_t at = text.find(literal_); at != std::string_view::npos; at = text.find(literal_, at + literal_.size()))
      found.emplace_back(at, at + literal_.size());
    return;
  }
  static thread_local Workspace workspace;
  for (size_t start = 0; start <= text.size();) {
    const int count = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                                  PCRE2_NO_UTF_CHECK, workspace.data(), workspace.context());
    if (count == PCRE2_ERROR_NOMATCH) return;
    if (count < 0) {
      throw base::Error(base::concat("the tokenizer's pattern \"",
                                     source_.substr(0, base::character_boundary(source_, 60)),
                                     "\" takes too long on a text of ", text.size(), " bytes: ", message_of(count)));
    }
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(workspace.data());
    const size_t begin = ends[0], end = ends[1];
    if (end > begin) found.emplace_back(begin, end);
    start = end;
    if (end > begin) continue;
    // An empty match splits nothing; on with the next character.
    if (start >= text.size()) return;
    for (++start; start < text.size() && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80;) ++start;
  }
}

}  // namespace memlayers::text
