#include "training/table_usage.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <ATen/ATen.h>

namespace memlayers::training {

UsageSummary summarize_usage(std::span<const int64_t> reads_per_slot) {
  UsageSummary summary;
  summary.reads = std::accumulate(reads_per_slot.begin(), reads_per_slot.end(), int64_t{0});
  if (summary.reads == 0) return summary;
  const double slots = double(reads_per_slot.size()), reads = double(summary.reads);
  std::vector<int64_t> read;  // only the slots that were read, so that a sparse window costs little
  for (int64_t count : reads_per_slot) {
    if (count > 0) read.push_back(count);
  }
  for (int64_t count : read) summary.kl_to_uniform += double(count) / reads * std::log(double(count) / reads * slots);
  summary.kl_to_uniform = std::max(0.0, summary.kl_to_uniform);
  summary.read_share = double(read.size()) / slots;
  const size_t top = std::min(read.size(), std::max<size_t>(1, reads_per_slot.size() / 100));
  std::nth_element(read.begin(), read.begin() + ptrdiff_t(top - 1), read.end(), std::greater<>());
  summary.top_percent_share = double(std::accumulate(read.begin(), read.begin() + ptrdiff_t(top), int64_t{0})) / reads;
  return summary;
}

TableUsage::TableUsage(int64_t slots)
    : window_(at::zeros({slots}, at::kLong)), ever_read_(at::zeros({slots}, at::kBool)) {}

void TableUsage::count(const ops::TouchedRows& touched) {
  const int64_t *row = touched.rows.const_data_ptr<int64_t>(), *begin = touched.row_begins.const_data_ptr<int64_t>();
  int64_t* window = window_.mutable_data_ptr<int64_t>();
  bool* ever_read = ever_read_.mutable_data_ptr<bool>();
  for (int64_t u = 0; u < touched.rows.size(0); ++u) {
    window[row[u]] += begin[u + 1] - begin[u];
    ever_read[row[u]] = true;
  }
}

UsageSummary TableUsage::window() const {
  return summarize_usage({window_.const_data_ptr<int64_t>(), size_t(window_.numel())});
}

int64_t TableUsage::dead_slots() const {
  const bool* ever_read = ever_read_.const_data_ptr<bool>();
  return std::count(ever_read, ever_read + ever_read_.numel(), false);
}

void TableUsage::start_window() { window_.zero_(); }

std::vector<std::pair<std::string, at::Tensor>> TableUsage::state() const {
  return {{"window", window_}, {"ever_read", ever_read_}};
}

}  // namespace memlayers::training
