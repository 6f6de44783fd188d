// Bag records to gradient rows: number all entries, sort them by slot (stable), sum each slot's run when it is wanted.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "ops/kernel_choice.h"
#include "ops/row_update/row_gradient_checks.h"
#include "ops/row_update/row_squares.h"
#include "ops/row_update/row_sums.h"
#include "ops/row_update/row_update.h"
#include "ops/without_gradient.h"

namespace memlayers::ops {
namespace {

constexpr int kMostDigitBits = 11;

/// How the sort cuts slots into digits: as few of them as hold the largest slot, all of the same width, so that a pass
/// writes to few places at a time.
struct Digits {
  int count, bits;

  explicit Digits(uint64_t largest) {
    const int whole = std::bit_width(largest);
    count = (whole + kMostDigitBits - 1) / kMostDigitBits;
    bits = count == 0 ? 0 : (whole + count - 1) / count;
  }
  uint64_t values() const { return uint64_t{1} << bits; }
  uint64_t of(uint64_t key, int digit) const { return key >> (32 + digit * bits) & (values() - 1); }
};

/// Entries in as many parts as there are threads to take them. What is made of them does not depend on the parts.
class Parts {
 public:
  explicit Parts(int64_t entries)
      : entries_(entries), count_(std::clamp<int64_t>(entries / kLeastEntries, 1, at::get_num_threads())) {}

  int64_t count() const { return count_; }
  /// Calls body(part, first entry, one past the last) for each, in parallel.
  template <class Body>
  void each(const Body& body) const {
    at::parallel_for(0, count_, 1, [&](int64_t first, int64_t last) {
      for (int64_t part = first; part < last; ++part) {
        body(part, entries_ * part / count_, entries_ * (part + 1) / count_);
      }
    });
  }

 private:
  static constexpr int64_t kLeastEntries = 32768;  // of a part: fewer are sorted before another thread has woken up
  int64_t entries_, count_;
};

/// Writes slot << 32 | entry in the order of the records; returns the largest slot. A slot that does not fit its half
/// of a key is found by that.
uint64_t number_entries(at::TensorList slots, uint64_t* keys) {
  uint64_t largest = 0, first_entry = 0;
  for (const at::Tensor& record : slots) {
    const int64_t* slot = record.const_data_ptr<int64_t>();
    const Parts parts(record.numel());
    std::vector<uint64_t> largest_of(size_t(parts.count()));
    parts.each([&](int64_t part, int64_t begin, int64_t end) {
      uint64_t most = 0;  // compared as unsigned, a negative slot is too large as well
      for (int64_t i = begin; i < end; ++i) {
        most = std::max(most, uint64_t(slot[i]));
        keys[first_entry + uint64_t(i)] = uint64_t(slot[i]) << 32 | (first_entry + uint64_t(i));
      }
      largest_of[size_t(part)] = most;
    });
    for (uint64_t most : largest_of) largest = std::max(largest, most);
    first_entry += uint64_t(record.numel());
  }
  return largest;
}

/// One pass of the sort: `to` holds the keys of `from` by one digit, equal ones in the order they had.
void sort_by_digit(const uint64_t* from, uint64_t* to, int64_t count, const Digits& digits, int digit) {
  const Parts parts(count);
  const size_t values = digits.values();
  std::vector<int64_t> next(size_t(parts.count()) *
                            values);  // of each part: how many keys, then where its next one goes
  parts.each([&](int64_t part, int64_t begin, int64_t end) {
    int64_t* counts = next.data() + size_t(part) * values;
    for (int64_t e = begin; e < end; ++e) ++counts[digits.of(from[e], digit)];
  });
  int64_t place = 0;
  for (size_t value = 0; value < values; ++value) {
    for (size_t at = value; at < next.size(); at += values) place += std::exchange(next[at], place);
  }
  parts.each([&](int64_t part, int64_t begin, int64_t end) {
    int64_t* places = next.data() + size_t(part) * values;
    for (int64_t e = begin; e < end; ++e) to[places[digits.of(from[e], digit)]++] = from[e];
  });
}

/// All entries' keys in a stable sort by slot, least significant digit first.
at::Tensor sorted_entries(at::TensorList slots) {
  int64_t count = 0;
  for (const at::Tensor& record : slots) count += record.numel();
  check_entry_count(count);
  at::Tensor entries = at::empty({count}, at::kLong), other = at::empty({count}, at::kLong);
  const auto keys_of = [](at::Tensor& tensor) {
    return reinterpret_cast<uint64_t*>(tensor.mutable_data_ptr<int64_t>());
  };
  const uint64_t largest = number_entries(slots, keys_of(entries));
  check_largest_slot(largest);
  const Digits digits(largest);
  for (int d = 0; d < digits.count; ++d) {
    sort_by_digit(keys_of(entries), keys_of(other), count, digits, d);
    std::swap(entries, other);
  }
  return entries;
}

using Sorted = std::tuple<at::Tensor, at::Tensor, at::Tensor>;  // rows, row_begins, entries

Sorted sort_cpu(at::TensorList slots) {
  std::vector<at::Tensor> contiguous_slots;
  for (const at::Tensor& record : slots) contiguous_slots.push_back(record.contiguous());
  const at::Tensor entries = sorted_entries(contiguous_slots);
  const auto* key = reinterpret_cast<const uint64_t*>(entries.const_data_ptr<int64_t>());
  const auto begins_row = [&](int64_t e) { return int64_t{e == 0 || key[e] >> 32 != key[e - 1] >> 32}; };
  const Parts parts(entries.numel());
  std::vector<int64_t> rows_before(size_t(parts.count()) + 1);
  parts.each([&](int64_t part, int64_t first, int64_t last) {
    int64_t rows = 0;
    for (int64_t e = first; e < last; ++e) rows += begins_row(e);
    rows_before[size_t(part) + 1] = rows;
  });
  std::partial_sum(rows_before.begin(), rows_before.end(), rows_before.begin());
  const int64_t num_rows = rows_before.back();
  at::Tensor rows = at::empty({num_rows}, at::kLong), begins = at::empty({num_rows + 1}, at::kLong);
  int64_t *row = rows.mutable_data_ptr<int64_t>(), *begin = begins.mutable_data_ptr<int64_t>();
  parts.each([&](int64_t part, int64_t first, int64_t last) {
    int64_t u = rows_before[size_t(part)];
    for (int64_t e = first; e < last; ++e) {
      if (begins_row(e) == 0) continue;
      row[u] = static_cast<int64_t>(key[e] >> 32);
      begin[u++] = e;
    }
  });
  begin[num_rows] = entries.numel();
  return {rows, begins, entries};
}

/// Sums of squares of runs of kSquaredRows rows, block by block, in the order of row_squares.h.
class SquareSums {
 public:
  SquareSums(int64_t rows, int64_t value_dim)
      : value_dim_(value_dim), blocks_(column_blocks(value_dim)), sums_(size_t(squared_runs(rows) * blocks_)) {}

  /// One run, whose rows come in one call of add or in several.
  class Run {
   public:
    explicit Run(SquareSums& sums) : sums_(sums), lanes_(size_t(sums.blocks_ * kBlockUnit)) {}
    void add(const float* values, int64_t rows) {
      row_gradient_kernel().add_squares_float32(values, sums_.value_dim_, rows, lanes_.data());
    }
    void add(const double* values, int64_t rows) {
      row_gradient_kernel().add_squares_float64(values, sums_.value_dim_, rows, lanes_.data());
    }
    void finish(int64_t first_row) {
      double* sums = sums_.sums_.data() + first_row / kSquaredRows * sums_.blocks_;
      row_gradient_kernel().sum_lanes(lanes_.data(), sums_.blocks_, sums);
      std::fill(lanes_.begin(), lanes_.end(), 0.0);
    }

   private:
    SquareSums& sums_;
    std::vector<double> lanes_;
  };

  double total() const { return total_of_squares(sums_, blocks_); }

 private:
  int64_t value_dim_, blocks_;
  std::vector<double> sums_;
};

/// values [U, D]
template <class T>
void sum_into(const RowSums<T>& sums, at::Tensor& values) {
  T* target = values.mutable_data_ptr<T>();
  at::parallel_for(0, sums.work(), RowSums<T>::kWorkPerTask, [&](int64_t begin, int64_t end) {
    const int64_t first = sums.row_at(begin), last = sums.row_at(end);
    if (first < last) sums.sum(first, last, target + first * sums.value_dim());
  });
}

template <class T>
double squares_of(const at::Tensor& values) {
  const int64_t rows = values.size(0), dim = values.size(1);
  const T* value = values.const_data_ptr<T>();
  SquareSums squares(rows, dim);
  at::parallel_for(0, squared_runs(rows), 16, [&](int64_t begin, int64_t end) {
    SquareSums::Run run(squares);
    for (int64_t first = begin * kSquaredRows; first < std::min(end * kSquaredRows, rows); first += kSquaredRows) {
      run.add(value + first * dim, std::min(kSquaredRows, rows - first));
      run.finish(first);
    }
  });
  return squares.total();
}

std::vector<at::Tensor> contiguous(at::TensorList tensors) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& tensor : tensors) result.push_back(tensor.contiguous());
  return result;
}

void sum_touched_cpu(const at::Tensor& row_begins, const at::Tensor& entries, at::TensorList weights,
                     at::TensorList grad_outputs, at::Tensor values) {
  const auto weight = contiguous(weights), grad = contiguous(grad_outputs);
  check_sum_target(row_begins, entries, weight, grad, values);
  if (values.scalar_type() == at::kDouble) {
    sum_into(RowSums<double>(row_begins, entries, weight, grad, values.size(1)), values);
  } else {
    sum_into(RowSums<float>(row_begins, entries, weight, grad, values.size(1)), values);
  }
}

std::tuple<at::Tensor, at::Tensor> gather_cpu(at::TensorList slots, at::TensorList weights, at::TensorList grad_outputs,
                                              int64_t value_dim) {
  check_records(slots, weights, grad_outputs, value_dim);
  const auto [rows, begins, entries] = sort_cpu(slots);
  const at::Tensor values = at::empty({rows.size(0), value_dim}, weights[0].options());
  sum_touched_cpu(begins, entries, weights, grad_outputs, values);
  return {rows, values};
}

double squared_norm_cpu(const at::Tensor& values) {
  check_gradient_rows(values);
  const at::Tensor rows = values.contiguous();
  return rows.scalar_type() == at::kDouble ? squares_of<double>(rows) : squares_of<float>(rows);
}

struct RecordLists {
  std::vector<at::Tensor> slots, weights, grad_outputs;

  explicit RecordLists(const BagRecords& records) {
    for (const BagRecord& record : records) {
      slots.push_back(record.slots);
      weights.push_back(record.weights);
      grad_outputs.push_back(record.grad_output);
    }
  }
};

}  // namespace

const RowGradientKernel& row_gradient_kernel() {
  static const RowGradientKernel& chosen = choose_kernel("gather_row_gradient", baseline::kRowGradientKernel,
                                                         avx2::kRowGradientKernel, avx512::kRowGradientKernel);
  return chosen;
}

TouchedRows sort_records(const BagRecords& records, int64_t value_dim) {
  if (records.empty()) {
    return {at::empty({0}, at::kLong), at::zeros({1}, at::kLong), at::empty({0}, at::kLong), {}, value_dim};
  }
  const RecordLists lists(records);
  check_records(lists.slots, lists.weights, lists.grad_outputs, value_dim);
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::sort_records", "").typed<Sorted(at::TensorList)>();
  auto [rows, begins, entries] = op.call(lists.slots);
  return {rows, begins, entries, records, value_dim};
}

RowGradient gather_row_gradient(const BagRecords& records, int64_t value_dim) {
  if (records.empty()) {
    return {at::empty({0}, at::kLong), at::empty({0, value_dim}, at::kFloat)};
  }
  const RecordLists lists(records);
  using Signature = std::tuple<at::Tensor, at::Tensor>(at::TensorList, at::TensorList, at::TensorList, int64_t);
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("memlayers::gather_row_gradient", "").typed<Signature>();
  auto [rows, values] = op.call(lists.slots, lists.weights, lists.grad_outputs, value_dim);
  return {rows, values};
}

RowGradient sum_rows(const TouchedRows& touched, at::Tensor& buffer) {
  const int64_t rows = touched.rows.size(0), dim = touched.value_dim;
  const at::ScalarType dtype = touched.records.empty() ? at::kFloat : touched.records[0].weights.scalar_type();
  const bool fits = buffer.defined() && buffer.scalar_type() == dtype && buffer.size(1) == dim &&
                    buffer.device() == touched.rows.device();
  constexpr int64_t kSpareRows = 64;
  // Not much larger either: a model that reads fewer and fewer rows gives memory back.
  if (!fits || buffer.size(0) < rows || buffer.size(0) > rows + rows / 2 + kSpareRows) {
    buffer = at::Tensor();  // before the new one is made
    const int64_t room = rows + rows / 8;
    buffer = touched.rows.is_cpu() ? allocate_rows(room, dim, dtype)
                                   : at::empty({room, dim}, touched.rows.options().dtype(dtype));
  }
  at::Tensor values = buffer.narrow(0, 0, rows);
  if (rows == 0) return {touched.rows, values};
  const RecordLists lists(touched.records);
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::sum_touched_rows", "")
                             .typed<decltype(sum_touched_cpu)>();
  op.call(touched.row_begins, touched.entries, lists.weights, lists.grad_outputs, values);
  return {touched.rows, values};
}

double squared_norm(const RowGradient& gradient) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("memlayers::row_squared_norm", "")
                             .typed<double(const at::Tensor&)>();
  return op.call(gradient.values);
}

TORCH_LIBRARY_FRAGMENT(memlayers, library) {
  library.def(
      "gather_row_gradient(Tensor[] slots, Tensor[] weights, Tensor[] grad_outputs, int value_dim) -> (Tensor rows, "
      "Tensor values)");
  library.def("row_squared_norm(Tensor values) -> float");
  library.def("sort_records(Tensor[] slots) -> (Tensor rows, Tensor row_begins, Tensor entries)");
  library.def(
      "sum_touched_rows(Tensor row_begins, Tensor entries, Tensor[] weights, Tensor[] grad_outputs, Tensor(a!) values) "
      "-> "
      "()");
}
TORCH_LIBRARY_IMPL(memlayers, CPU, library) {
  library.impl("gather_row_gradient", gather_cpu);
  library.impl("row_squared_norm", squared_norm_cpu);
  library.impl("sort_records", sort_cpu);
  library.impl("sum_touched_rows", sum_touched_cpu);
}
TORCH_LIBRARY_IMPL(memlayers, Autograd, library) {
  without_gradient(library, {"gather_row_gradient", "row_squared_norm", "sort_records", "sum_touched_rows"});
}

}  // namespace memlayers::ops
