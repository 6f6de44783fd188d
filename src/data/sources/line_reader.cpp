#include "data/sources/line_reader.h"

#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "data/sources/byte_source.h"

namespace memlayers::data {

namespace fs = std::filesystem;

struct LineReader::State {
  fs::path path;
  std::unique_ptr<ByteSource> source;
  std::vector<char> buffer;
  size_t begin = 0, end = 0;
  int64_t line = 0, replaced = 0;
  uint64_t file_bytes = 0;
};

LineReader::LineReader(const fs::path& path, size_t buffer_bytes) : state_(std::make_unique<State>()) {
  const base::InputFile input(path);
  state_->path = path;
  state_->source = open_byte_source(input, buffer_bytes);
  state_->buffer.resize(std::max<size_t>(buffer_bytes, 16));
  state_->file_bytes = input.bytes();
}

LineReader::~LineReader() = default;

bool LineReader::next(std::string& line) {
  State& s = *state_;
  line.clear();
  bool any = false;
  for (bool complete = false; !complete;) {
    if (s.begin == s.end) {
      s.begin = 0;
      s.end = s.source->read(s.buffer.data(), s.buffer.size());
      if (s.end == 0) break;
    }
    any = true;
    const char* from = s.buffer.data() + s.begin;
    const void* newline = std::memchr(from, '\n', s.end - s.begin);
    const size_t length = newline ? static_cast<const char*>(newline) - from : s.end - s.begin;
    if (line.size() + length > kMaxLineBytes) {
      throw base::IoError(s.path, base::concat("line ", s.line + 1, " is longer than ", kMaxLineBytes >> 20, " MiB"));
    }
    line.append(from, length);
    s.begin += length + (newline ? 1 : 0);
    complete = newline != nullptr;
  }
  if (!any) return false;
  ++s.line;
  check_no_hole(line);
  s.replaced += static_cast<int64_t>(base::clean_line(line));
  return true;
}

void LineReader::check_no_hole(const std::string& line) const {
  static const std::string kHole(16, '\0');
  if (std::memchr(line.data(), 0, line.size()) == nullptr || line.find(kHole) == std::string::npos) return;
  throw base::IoError(where(), "holds a run of zero bytes: the file is damaged there, or not text");
}

int64_t LineReader::line_number() const { return state_->line; }
int64_t LineReader::replaced() const { return state_->replaced; }
uint64_t LineReader::bytes_read() const { return state_->source->bytes_read(); }
uint64_t LineReader::file_bytes() const { return state_->file_bytes; }
const fs::path& LineReader::path() const { return state_->path; }
std::string LineReader::where() const { return base::concat(state_->path.string(), ":", state_->line); }

uint64_t hash_lines(const std::filesystem::path& path) {
  LineReader reader(path);
  uint64_t hash = 0;
  for (std::string line; reader.next(line);) hash = base::hash_bytes(line.data(), line.size(), hash);
  return hash;
}

}  // namespace memlayers::data
