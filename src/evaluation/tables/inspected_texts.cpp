#include "evaluation/tables/inspected_texts.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "base/utf8.h"
#include "evaluation/questions/asking.h"
#include "text/tokenizer_files.h"

namespace memlayers::evaluation {
namespace {

constexpr size_t kExcerptBytes = 300;
constexpr int64_t kContextTokens = 8;
constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

/// Calls `take(index)` for indices below `count` in an order that `purpose` draws, until it returns false.
void in_drawn_order(int64_t count, const std::string& purpose, const std::function<bool(int64_t)>& take) {
  const uint64_t key = base::RandomStream(1, purpose).next();
  for (int64_t i = 0; i < count; ++i) {
    if (!take(static_cast<int64_t>(base::permuted(static_cast<uint64_t>(i), static_cast<uint64_t>(count), key))))
      return;
  }
}

}  // namespace

DocumentSample::DocumentSample(const std::vector<data::SourceConfig>& sources, const std::string& split, int64_t tokens,
                               int64_t max_length, const text::Tokenizer& tokenizer)
    : tokenizer_(tokenizer) {
  double total = 0;
  for (const data::SourceConfig& source : sources) total += source.weight;
  for (size_t s = 0; s < sources.size(); ++s) {
    splits_.emplace_back(sources[s].path, split);
    names_.push_back(sources[s].path);
    base::check(splits_[s].tokenizer_hash() == text::tokenizer_hash(tokenizer), sources[s].path,
                ": was prepared with another tokenizer than the model's; name the data it was trained on (--data)");
    int64_t left =
        tokens == 0 ? kAll : std::max<int64_t>(1, static_cast<int64_t>(tokens * (sources[s].weight / total)));
    in_drawn_order(splits_[s].documents(), base::concat("inspected documents ", s), [&](int64_t document) {
      const int64_t length = std::min(left, splits_[s].document_length(document));
      add(s, document, length, max_length);
      left -= length;
      return left > 0;
    });
  }
}

void DocumentSample::add(size_t source, int64_t document, int64_t tokens, int64_t max_length) {
  for (int64_t begin = 0; begin < tokens; begin += max_length) {
    const int64_t end = std::min(tokens, begin + max_length);
    std::vector<int32_t> ids(end - begin);
    splits_[source].read(document, begin, end, ids.data());
    passages_.push_back({documents(), {ids.begin(), ids.end()}});
  }
  documents_.push_back({source, document});
}

std::string DocumentSample::text(int64_t owner) const {
  const Document& document = documents_[owner];
  const data::PreparedSplit& split = splits_[document.source];
  std::vector<int32_t> ids(std::min<int64_t>(split.document_length(document.document), kExcerptBytes + 2));
  split.read(document.document, 0, static_cast<int64_t>(ids.size()), ids.data());
  return excerpt(tokenizer_.decode(ids));
}

std::vector<Passage> question_passages(const std::vector<data::Question>& questions, int64_t tokens, int64_t max_length,
                                       const text::Tokenizer& tokenizer) {
  std::vector<Passage> passages;
  int64_t left = tokens == 0 ? kAll : tokens;
  in_drawn_order(static_cast<int64_t>(questions.size()), "inspected questions", [&](int64_t index) {
    std::vector<int64_t> ids = prompt_ids(tokenizer, asked_prompt(questions[index]));
    const auto length = static_cast<int64_t>(ids.size());
    if (length > max_length) ids.erase(ids.begin(), ids.end() - max_length);
    left -= static_cast<int64_t>(ids.size());
    if (left >= 0) passages.push_back({index, std::move(ids)});
    return left > 0;
  });
  return passages;
}

std::string text_up_to(const text::Tokenizer& tokenizer, const Passage& passage, int64_t position) {
  const auto end = passage.ids.begin() + position + 1;
  const auto begin = end - std::min<int64_t>(kContextTokens, position + 1);
  std::string text = tokenizer.decode(std::vector<int32_t>(begin, end));
  base::repair_utf8(text);
  return text;
}

std::string excerpt(std::string text) {
  base::repair_utf8(text);
  if (text.size() <= kExcerptBytes) return text;
  return text.substr(0, base::character_boundary(text, kExcerptBytes)) + "...";
}

}  // namespace memlayers::evaluation
