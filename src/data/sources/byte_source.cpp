#include "data/sources/byte_source.h"

#include "data/sources/file_kind.h"
#include "data/sources/packed_file.h"

namespace memlayers::data {
namespace {

namespace fs = std::filesystem;

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(PackedFile file) : file_(std::move(file)) {}

  size_t read(char* out, size_t capacity) override {
    if (!file_.fill()) return 0;
    const size_t count = std::min(capacity, file_.size());
    std::memcpy(out, file_.data(), count);
    file_.consume(count);
    return count;
  }
  uint64_t bytes_read() const override { return file_.bytes_read(); }

 private:
  PackedFile file_;
};

/// Looks at the first unpacked bytes, and passes on only text.
class TextOnly : public ByteSource {
 public:
  TextOnly(std::unique_ptr<ByteSource> inner, const fs::path& path, const std::string& packing)
      : inner_(std::move(inner)), head_(kKindBytes, '\0') {
    size_t size = 0;
    while (const size_t count = inner_->read(head_.data() + size, head_.size() - size)) {
      size += count;
      if (size == head_.size()) break;
    }
    head_.resize(size);
    refuse_what_is_not_text(head_, path, packing);
  }

  size_t read(char* out, size_t capacity) override {
    const size_t count = std::min(capacity, head_.size() - passed_);
    if (count == 0) return inner_->read(out, capacity);
    std::memcpy(out, head_.data() + passed_, count);
    passed_ += count;
    return count;
  }
  uint64_t bytes_read() const override { return inner_->bytes_read(); }

 private:
  std::unique_ptr<ByteSource> inner_;
  std::string head_;
  size_t passed_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> open_byte_source(const base::InputFile& input, size_t buffer_bytes) {
  const fs::path& path = input.path();
  PackedFile file(input, buffer_bytes);
  const bool any = file.fill();
  if (is_gzip(file)) return std::make_unique<TextOnly>(gzip_source(std::move(file)), path, "gzip");
  if (is_zstd(file)) return std::make_unique<TextOnly>(zstd_source(std::move(file)), path, "zstd");
  const std::string extension = path.extension();
  const bool gzip = extension == ".gz", zstd = extension == ".zst";
  if ((gzip || zstd) && !any)
    file.fail(base::concat("truncated ", gzip ? "gzip" : "zstd", " stream (the file is empty)"));
  auto source = std::make_unique<TextOnly>(std::make_unique<PlainSource>(std::move(file)), path, "");
  if (gzip || zstd) throw base::IoError(path, gzip ? "is not a gzip file" : "is not a zstd file");
  return source;
}

}  // namespace memlayers::data
