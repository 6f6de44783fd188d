#include "training/table_usage.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace memlayers::training {

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

std::span<const int64_t> TableUsage::window() const {
  return {window_.const_data_ptr<int64_t>(), size_t(window_.numel())};
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
