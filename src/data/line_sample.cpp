#include "data/line_sample.h"

#include "base/utf8.h"

namespace memlayers::data {
namespace {

constexpr size_t kPieceBytes = 2048;  // below the longest line that SentencePiece's trainer takes

}  // namespace

LineSample::LineSample(int64_t size, uint64_t seed)
    : size_(static_cast<uint64_t>(size)), stream_(seed, "tokenizer sample") {}

void LineSample::add(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    for (std::string_view line = text.substr(0, end); !line.empty();) {
      const size_t length = base::character_boundary(line, kPieceBytes);
      add_line(line.substr(0, length));
      line.remove_prefix(length);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void LineSample::add_line(std::string_view line) {
  const uint64_t number = seen_++;
  if (lines_.size() < size_) {
    lines_.emplace_back(line);
    return;
  }
  const uint64_t place = stream_.below(number + 1);
  if (place < size_) lines_[place] = line;
}

}  // namespace memlayers::data
