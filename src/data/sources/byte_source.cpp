#include "data/sources/byte_source.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"

namespace memlayers::data {
namespace {

namespace fs = std::filesystem;
using base::IoError;

/// The packed file, read through one buffer whose unread part is visible.
class PackedFile {
 public:
  PackedFile(const fs::path& path, size_t buffer_bytes) : path_(path), buffer_(std::max<size_t>(buffer_bytes, 16)) {
    if (fs::is_directory(path)) throw IoError(path, "is a folder, expected a file");
    file_.reset(std::fopen(path.c_str(), "rb"));
    if (!file_) throw IoError(path, std::string("cannot be read: ") + std::strerror(errno));
  }

  const fs::path& path() const { return path_; }
  uint64_t bytes_read() const { return read_; }
  const char* data() const { return buffer_.data() + begin_; }
  size_t size() const { return end_ - begin_; }
  void consume(size_t count) { begin_ += count; }

  /// Makes at least one byte visible, or returns false at the end of the file.
  bool fill() {
    if (begin_ < end_) return true;
    begin_ = 0;
    end_ = std::fread(buffer_.data(), 1, buffer_.size(), file_.get());
    if (end_ == 0 && std::ferror(file_.get()))
      throw IoError(path_, std::string("cannot be read: ") + std::strerror(errno));
    read_ += end_;
    return end_ > 0;
  }

 private:
  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };
  fs::path path_;
  std::unique_ptr<FILE, Close> file_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;
  uint64_t read_ = 0;
};

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

class GzipSource : public ByteSource {
 public:
  explicit GzipSource(PackedFile file) : file_(std::move(file)) {
    constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for the gzip container
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK)
      throw IoError(file_.path(), "zlib does not start (out of memory?)");
  }
  ~GzipSource() override { inflateEnd(&stream_); }

  size_t read(char* out, size_t capacity) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(capacity, 1u << 30));
    const uInt wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      if (!file_.fill()) {
        if (inside_) throw IoError(file_.path(), "truncated gzip stream");
        return 0;
      }
      if (!inside_) inflateReset(&stream_);  // gzip files may be several streams one after another
      inside_ = true;
      step();
    }
    return wanted - stream_.avail_out;
  }
  uint64_t bytes_read() const override { return file_.bytes_read(); }

 private:
  void step() {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(file_.data()));
    stream_.avail_in = static_cast<uInt>(file_.size());
    const int status = inflate(&stream_, Z_NO_FLUSH);
    file_.consume(file_.size() - stream_.avail_in);
    if (status == Z_STREAM_END) {
      inside_ = false;
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      throw IoError(file_.path(), std::string("damaged gzip stream: ") + (stream_.msg ? stream_.msg : zError(status)));
    }
  }

  PackedFile file_;
  z_stream stream_{};
  bool inside_ = true;  // of a gzip stream: the file must not end here
};

class ZstdSource : public ByteSource {
 public:
  explicit ZstdSource(PackedFile file) : file_(std::move(file)), context_(ZSTD_createDCtx()) {
    if (!context_) throw IoError(file_.path(), "zstd does not start (out of memory?)");
  }

  size_t read(char* out, size_t capacity) override {
    ZSTD_outBuffer output{out, capacity, 0};
    while (output.pos == 0) {
      // Unpacked bytes may still wait in the context, so an exhausted file is the end only between two frames.
      const bool more = file_.fill();
      if (!more && !inside_) return 0;
      ZSTD_inBuffer input{file_.data(), more ? file_.size() : 0, 0};
      const size_t status = ZSTD_decompressStream(context_.get(), &output, &input);
      if (ZSTD_isError(status)) {
        throw IoError(file_.path(), std::string("damaged zstd stream: ") + ZSTD_getErrorName(status));
      }
      file_.consume(input.pos);
      inside_ = status != 0;
      if (!more && inside_ && output.pos == 0) throw IoError(file_.path(), "truncated zstd stream");
    }
    return output.pos;
  }
  uint64_t bytes_read() const override { return file_.bytes_read(); }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  PackedFile file_;
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  bool inside_ = true;
};

bool begins_with(const PackedFile& file, std::string_view magic) {
  return file.size() >= magic.size() && std::memcmp(file.data(), magic.data(), magic.size()) == 0;
}

}  // namespace

std::unique_ptr<ByteSource> open_byte_source(const fs::path& path, size_t buffer_bytes) {
  PackedFile file(path, buffer_bytes);
  const bool any = file.fill();
  if (any && begins_with(file, "\x1F\x8B")) return std::make_unique<GzipSource>(std::move(file));
  if (any && begins_with(file, "\x28\xB5\x2F\xFD")) return std::make_unique<ZstdSource>(std::move(file));
  const std::string extension = path.extension();
  if (extension == ".gz") throw IoError(path, any ? "is not a gzip file" : "truncated gzip stream (the file is empty)");
  if (extension == ".zst")
    throw IoError(path, any ? "is not a zstd file" : "truncated zstd stream (the file is empty)");
  return std::make_unique<PlainSource>(std::move(file));
}

}  // namespace memlayers::data
