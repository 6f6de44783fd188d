#include "text/tokenizer_json/added_tokens.h"

#include <algorithm>

#include "text/tokenizer_json/characters.h"

namespace memlayers::text {
namespace {

constexpr const char* kWhat = "added_tokens";

AddedToken added_token_of(const Json& item) {
  AddedToken token;
  const int64_t id = number_of(item, "id", -1, kWhat);
  token.content = text_of(item, "content", "", kWhat);
  require(id >= 0 && id < (int64_t{1} << 30), kWhat, ": the id of \"", token.content.substr(0, 40), "\" is ", id,
          ", expected a whole number from 0 on");
  require(!token.content.empty(), kWhat, ": the token of id ", id, " has no content");
  token.id = static_cast<int32_t>(id);
  token.special = flag_of(item, "special", false, kWhat);
  token.normalized = flag_of(item, "normalized", !token.special, kWhat);
  token.single_word = flag_of(item, "single_word", false, kWhat);
  token.left_strip = flag_of(item, "lstrip", false, kWhat);
  token.right_strip = flag_of(item, "rstrip", false, kWhat);
  return token;
}

}  // namespace

void AddedTokens::Finder::add(const std::string& content, size_t token) {
  if (content.empty()) return;
  std::vector<Content>& same = by_byte_[static_cast<unsigned char>(content[0])];
  // The later of two equal ones counts.
  std::erase_if(same, [&](const Content& other) { return other.text == content; });
  same.push_back({content, token});
  std::stable_sort(same.begin(), same.end(),
                   [](const Content& a, const Content& b) { return a.text.size() > b.text.size(); });
  ++count_;
}

std::optional<AddedTokens::Finder::Found> AddedTokens::Finder::next(std::string_view text, size_t start) const {
  for (size_t at = start; at < text.size(); ++at) {
    for (const Content& content : by_byte_[static_cast<unsigned char>(text[at])]) {
      if (text.substr(at).starts_with(content.text)) return Found{at, at + content.text.size(), content.token};
    }
  }
  return std::nullopt;
}

AddedTokens::AddedTokens(const Json& list, const Normalizer& normalizer) : normalizer_(&normalizer) {
  if (list.is_null()) return;
  require(list.is_array(), kWhat, ": expected a list");
  constexpr size_t kMost = 1 << 20;
  require(list.size() <= kMost, kWhat, ": ", list.size(), " are too many");
  for (const Json& item : list) {
    AddedToken token = added_token_of(item);
    require(by_id_.emplace(token.id, tokens_.size()).second, kWhat, ": two have the id ", token.id);
    Finder& finder = token.normalized ? normalized_ : raw_;
    finder.add(token.normalized ? normalizer.apply(token.content) : token.content, tokens_.size());
    tokens_.push_back(std::move(token));
  }
}

const AddedToken* AddedTokens::find(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

std::vector<AddedTokens::Span> AddedTokens::spans(const Finder& finder, std::string_view text) const {
  std::vector<Span> spans;
  size_t done = 0;
  if (!finder.empty()) {
    for (auto found = finder.next(text, 0); found; found = finder.next(text, found->end)) {
      const AddedToken& token = tokens_[found->token];
      size_t begin = found->begin, end = found->end;
      // One that is white space counts even where the token before it took that space along, as in the library.
      if (token.single_word) {
        const Character before = last_character(text.substr(0, begin)), after = first_character(text.substr(end));
        if (before.bytes > 0 && is_word_character(before.code)) continue;
        if (after.bytes > 0 && is_word_character(after.code)) continue;
      }
      while (token.left_strip && begin > done) {
        const Character before = last_character(text.substr(0, begin));
        if (!is_white_space(before.code)) break;
        begin -= before.bytes;
      }
      while (token.right_strip && end < text.size()) {
        const Character after = first_character(text.substr(end));
        if (!is_white_space(after.code)) break;
        end += after.bytes;
      }
      if (begin > done) spans.push_back({done, begin, nullptr});
      spans.push_back({begin, end, &token});
      done = end;
    }
  }
  if (done < text.size()) spans.push_back({done, text.size(), nullptr});
  return spans;
}

std::vector<AddedTokens::Stretch> AddedTokens::cut(const std::string& text, bool continued) const {
  std::vector<Stretch> stretches;
  for (const Span& span : spans(raw_, text)) {
    if (span.token != nullptr) {
      stretches.push_back({{}, span.token});
      continue;
    }
    const std::string normal =
        normalizer_ == nullptr
            ? text.substr(span.begin, span.end - span.begin)
            : normalizer_->apply(text.substr(span.begin, span.end - span.begin), continued && span.begin == 0);
    for (const Span& inner : spans(normalized_, normal)) {
      if (inner.token != nullptr) {
        stretches.push_back({{}, inner.token});
      } else {
        stretches.push_back(
            {normal.substr(inner.begin, inner.end - inner.begin), nullptr, span.begin == 0 && inner.begin == 0});
      }
    }
  }
  return stretches;
}

}  // namespace memlayers::text
