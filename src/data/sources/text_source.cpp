#include "base/error.h"
#include "base/random.h"
#include "base/utf8.h"
#include "data/sources/document_source.h"
#include "data/sources/json_lines.h"

namespace memlayers::data {
namespace {

// A document is handed on in parts of about this size.
constexpr size_t kPartBytes = size_t{1} << 16;

/// What JSONL and plain text have in common: splits, limits, reports.
class TextSource : public DocumentSource {
 public:
  TextSource(const PrepareSource& config, const SourceSeed& seed) : config_(config), seed_(seed) {}

  Position position() const override {
    const LineReader* lines = reader();
    return {lines ? lines->bytes_read() : 0, lines ? lines->file_bytes() : 0, "bytes"};
  }
  nlohmann::ordered_json report() const override { return {{"invalid_utf8_replaced", reader() ? replaced() : 0}}; }

 protected:
  virtual const LineReader* reader() const = 0;
  virtual int64_t replaced() const { return reader()->replaced(); }

  bool limit_reached() const { return config_.limit_documents > 0 && documents_ >= config_.limit_documents; }
  /// Counts a document and says which split it is in. The first is always trained, so that no training set is empty.
  bool begin_document() {
    const int64_t document = documents_++;
    if (document == 0) return false;
    base::RandomStream stream(seed_.seed, base::concat("validation split ", seed_.index), document);
    return stream.uniform() < seed_.validation_share;
  }

  PrepareSource config_;
  SourceSeed seed_;
  int64_t documents_ = 0;
};

class JsonlSource : public TextSource {
 public:
  using TextSource::TextSource;
  void start() override {
    documents_ = 0;
    lines_ = std::make_unique<JsonLines>(config_.path);
  }
  bool next(DocumentPart& part) override {
    while (!limit_reached() && lines_->next()) {
      part.text = lines_->text(config_.text_field);
      if (base::trimmed(part.text).empty()) continue;
      part.begins = part.ends = true;
      part.validation = begin_document();
      return true;
    }
    return false;
  }

 private:
  const LineReader* reader() const override { return lines_ ? &lines_->lines() : nullptr; }
  int64_t replaced() const override { return lines_->replaced(); }
  std::unique_ptr<JsonLines> lines_;
};

/// Text lines, held back by one so that the end of a document is known when its last part is handed on.
class PlainTextSource : public TextSource {
 public:
  using TextSource::TextSource;
  void start() override {
    documents_ = 0;
    lines_ = std::make_unique<LineReader>(config_.path);
    open_ = false;
    have_line_ = lines_->next(line_);
  }

  bool next(DocumentPart& part) override {
    if (!open_) {
      while (have_line_ && base::trimmed(line_).empty()) step();
      if (!have_line_ || limit_reached()) return false;
      validation_ = begin_document();
    }
    part.text.clear();
    part.begins = !open_;
    part.validation = validation_;
    open_ = true;
    bool first = part.begins;
    while (open_ && part.text.size() < kPartBytes) {
      if (!first) part.text += '\n';
      first = false;
      part.text += line_;
      step();
      open_ = goes_on();
    }
    part.ends = !open_;
    return true;
  }

 private:
  const LineReader* reader() const override { return lines_.get(); }
  void step() { have_line_ = lines_->next(line_); }
  bool goes_on() const {
    if (!have_line_ || config_.documents == TextDocuments::kLines) return false;
    return config_.documents == TextDocuments::kFile || !base::trimmed(line_).empty();
  }

  std::unique_ptr<LineReader> lines_;
  std::string line_;
  bool have_line_ = false, open_ = false, validation_ = false;
};

}  // namespace

std::unique_ptr<DocumentSource> open_text_source(const PrepareSource& config, const SourceSeed& seed) {
  std::unique_ptr<DocumentSource> source;
  if (config.kind == SourceKind::kJsonl) {
    source = std::make_unique<JsonlSource>(config, seed);
  } else {
    source = std::make_unique<PlainTextSource>(config, seed);
  }
  source->start();  // a missing file is told now, not after the sources before it were read
  return source;
}

}  // namespace memlayers::data
