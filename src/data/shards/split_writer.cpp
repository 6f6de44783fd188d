#include "data/shards/split_writer.h"

#include <algorithm>
#include <array>

#include "data/shards/prepared_data.h"

namespace memlayers::data {
namespace {

constexpr std::array<int64_t, 5> kSequenceLengths = {128, 256, 512, 1024, 2048};

}  // namespace

SplitWriter::SplitWriter(const std::filesystem::path& folder, const std::string& split,
                         const text::Tokenizer& tokenizer, int64_t documents_per_shard)
    : folder_(folder),
      split_(split),
      tokenizer_(tokenizer),
      documents_per_shard_(documents_per_shard),
      beyond_(kSequenceLengths.size()) {}

void SplitWriter::append(const std::vector<int32_t>& ids) {
  shard_->append(ids);
  length_ += static_cast<int64_t>(ids.size());
}

void SplitWriter::write(const std::string& text, bool begins, bool ends) {
  if (begins) {
    if (!shard_) shard_.emplace(folder_ / shard_name(split_, shards_++), tokenizer_.vocab_size());
    length_ = 0;
    append({tokenizer_.bos()});
  }
  append(begins ? tokenizer_.encode(text) : tokenizer_.encode_continuation(text));
  if (!ends) return;
  append({tokenizer_.eos()});
  shard_->end_document();
  ++documents_;
  tokens_ += length_;
  longest_ = std::max(longest_, length_);
  for (size_t i = 0; i < beyond_.size(); ++i) beyond_[i] += std::max<int64_t>(0, length_ - kSequenceLengths[i] - 1);
  if (shard_->documents() >= documents_per_shard_) finish();
}

void SplitWriter::finish() {
  if (shard_) shard_->finish();
  shard_.reset();
}

nlohmann::ordered_json SplitWriter::report() const {
  nlohmann::ordered_json cropped = nlohmann::ordered_json::object();
  for (size_t i = 0; i < beyond_.size(); ++i) {
    const double share = tokens_ == 0 ? 0.0 : static_cast<double>(beyond_[i]) / static_cast<double>(tokens_);
    cropped[std::to_string(kSequenceLengths[i])] = share;
  }
  return {{"shards", shards_},
          {"documents", documents_},
          {"tokens", tokens_},
          {"longest_document", longest_},
          {"cropped_share_at_least", cropped}};
}

}  // namespace memlayers::data
