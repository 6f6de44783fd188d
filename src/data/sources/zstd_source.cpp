#include <zstd.h>
#include <zstd_errors.h>

#include "base/log.h"
#include "data/sources/packed_file.h"

namespace memlayers::data {
namespace {

std::string reason_of(size_t status) {
  switch (ZSTD_getErrorCode(status)) {
    case ZSTD_error_dictionary_wrong:
    case ZSTD_error_dictionary_corrupted:
      return "was packed with a zstd dictionary, which is not at hand; unpack it first: zstd -d -D DICTIONARY FILE";
    case ZSTD_error_frameParameter_windowTooLarge:
      return "was packed with a window of more than 2 GiB; pack it again with zstd --long=31 or less";
    case ZSTD_error_memory_allocation:
      return "there is not enough memory to unpack it: it was packed with a long window (zstd --long); pack it again "
             "without";
    case ZSTD_error_prefix_unknown:
      return "damaged zstd stream: what follows a frame is not zstd";
    default:
      return std::string("damaged zstd stream: ") + ZSTD_getErrorName(status);
  }
}

/// A zstd file is frames one after another; those that are to be skipped hold nothing of the text.
class ZstdSource : public ByteSource {
 public:
  explicit ZstdSource(PackedFile file) : file_(std::move(file)), context_(ZSTD_createDCtx()) {
    if (!context_) file_.fail("zstd does not start (out of memory?)");
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, ZSTD_dParam_getBounds(ZSTD_d_windowLogMax).upperBound);
  }

  size_t read(char* out, size_t capacity) override {
    ZSTD_outBuffer output{out, capacity, 0};
    while (output.pos == 0) {
      // Unpacked bytes may still wait in the context, so an exhausted file is the end only between two frames.
      const bool more = file_.fill();
      if (!more && !inside_) return 0;
      ZSTD_inBuffer input{file_.data(), more ? file_.size() : 0, 0};
      const size_t status = ZSTD_decompressStream(context_.get(), &output, &input);
      if (ZSTD_isError(status)) file_.fail(reason_of(status));
      file_.consume(input.pos);
      inside_ = status != 0;
      if (!more && inside_ && output.pos == 0) file_.fail("truncated zstd stream");
    }
    tell_of_long_window();
    return output.pos;
  }
  uint64_t bytes_read() const override { return file_.bytes_read(); }

 private:
  void tell_of_long_window() {
    constexpr size_t kUsual = size_t{160} << 20;  // zstd's highest level without --long takes less
    const size_t bytes = ZSTD_sizeof_DCtx(context_.get());
    if (told_ || bytes < kUsual) return;
    told_ = true;
    base::log_info(
        base::concat(file_.name(), ": was packed with a long window; unpacking takes ", bytes >> 20, " MiB of memory"));
  }

  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  PackedFile file_;
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  bool inside_ = true, told_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> zstd_source(PackedFile file) { return std::make_unique<ZstdSource>(std::move(file)); }

bool is_zstd(const PackedFile& file) {
  if (file.begins_with("\x28\xB5\x2F\xFD")) return true;
  const bool skippable = file.size() >= 4 && std::memcmp(file.data() + 1, "\x2A\x4D\x18", 3) == 0;
  return skippable && (static_cast<unsigned char>(*file.data()) & 0xF0) == 0x50;
}

}  // namespace memlayers::data
