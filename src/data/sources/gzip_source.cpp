#include <zlib.h>

#include <string>

#include "data/sources/packed_file.h"

namespace memlayers::data {
namespace {

/// A gzip file is one member or several, and zeros may follow each (tapes and some tools pad with them).
class GzipSource : public ByteSource {
 public:
  explicit GzipSource(PackedFile file) : file_(std::move(file)) {
    constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for the gzip container
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK) file_.fail("zlib does not start (out of memory?)");
  }
  ~GzipSource() override { inflateEnd(&stream_); }

  size_t read(char* out, size_t capacity) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(capacity, 1u << 30));
    const uInt wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      if (!inside_ && !begin_member()) return 0;
      // Unpacked bytes may still wait in zlib where the last ones filled the buffer, so it is asked before the file is
      // called truncated.
      const bool more = file_.fill();
      if (!step() && !more) file_.fail("truncated gzip stream");
    }
    return wanted - stream_.avail_out;
  }
  uint64_t bytes_read() const override { return file_.bytes_read(); }

 private:
  /// False where the file ends.
  bool begin_member() {
    while (file_.fill()) {
      if (*file_.data() == '\0') {
        file_.consume(1);
        continue;
      }
      if (*file_.data() != '\x1F') file_.fail("damaged gzip stream: what follows the packed data is not gzip");
      inflateReset(&stream_);
      return inside_ = true;
    }
    return false;
  }

  /// False where zlib can do nothing without more bytes.
  bool step() {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(file_.data()));
    stream_.avail_in = static_cast<uInt>(file_.size());
    const int status = inflate(&stream_, Z_NO_FLUSH);
    file_.consume(file_.size() - stream_.avail_in);
    if (status == Z_STREAM_END) {
      inside_ = false;
    } else if (status == Z_MEM_ERROR) {
      file_.fail("there is not enough memory to unpack it");
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      file_.fail(std::string("damaged gzip stream: ") + (stream_.msg ? stream_.msg : zError(status)));
    }
    return status != Z_BUF_ERROR;
  }

  PackedFile file_;
  z_stream stream_{};
  bool inside_ = true;  // of a member: the file must not end here
};

}  // namespace

std::unique_ptr<ByteSource> gzip_source(PackedFile file) { return std::make_unique<GzipSource>(std::move(file)); }

bool is_gzip(const PackedFile& file) { return file.begins_with("\x1F\x8B"); }

}  // namespace memlayers::data
