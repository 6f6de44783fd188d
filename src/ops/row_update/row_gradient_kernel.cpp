// Entries come sorted by slot and, within a slot, in the order of the records; a row is summed in that order by one
// thread. Rows of the output gradient are read at random, so the next ones are asked for early.
#include "ops/row_update/row_gradient_kernel.h"

#include "ops/column_blocks.h"
#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

constexpr int64_t kEntriesAhead = 4;
constexpr int64_t kPrefetchBytes = 1024;

/// Where an entry's factor and output gradient are. Entries of one row only grow, so the record is found by walking on.
template <class T>
struct EntryReader {
  const RowSumProblem<T>& problem;
  int64_t record = 0;

  void move_to(uint32_t entry) {
    while (record + 1 < problem.num_records && entry >= problem.records[record + 1].first_entry) ++record;
  }
  T weight(uint32_t entry) const {
    const RecordView<T>& view = problem.records[record];
    return view.weights[entry - view.first_entry];
  }
  const T* gradient(uint32_t entry) const {
    const RecordView<T>& view = problem.records[record];
    const uint32_t place = entry - view.first_entry;
    // Bags mostly have a power of two of entries, and a division costs as much as a short row.
    const bool power_of_two = (view.bag_size & (view.bag_size - 1)) == 0;
    const uint32_t token = power_of_two ? place >> __builtin_ctz(view.bag_size) : place / view.bag_size;
    return view.grad_output + int64_t(token) * problem.value_dim;
  }
};

template <class T>
void sum_rows(const RowSumProblem<T>& problem, int64_t first, int64_t last, T* values) {
  const int64_t dim = problem.value_dim, end = problem.row_begins[last];
  EntryReader<T> ahead{problem};
  uint64_t slot_ahead = ~uint64_t{0};
  for (int64_t u = first; u < last; ++u) {
    T* __restrict total = values + (u - first) * dim;
    for (int64_t c = 0; c < dim; ++c) total[c] = 0;
    EntryReader<T> reader{problem};
    for (int64_t e = problem.row_begins[u]; e < problem.row_begins[u + 1]; ++e) {
      if (e + kEntriesAhead < end) {
        const uint64_t next = problem.sorted[e + kEntriesAhead];
        if (next >> 32 != slot_ahead) ahead.record = 0;
        slot_ahead = next >> 32;
        ahead.move_to(uint32_t(next));
        const char* bytes = reinterpret_cast<const char*>(ahead.gradient(uint32_t(next)));
        for (int64_t b = 0; b < dim * int64_t(sizeof(T)) && b < kPrefetchBytes; b += 64) __builtin_prefetch(bytes + b);
      }
      const uint32_t entry = uint32_t(problem.sorted[e]);
      reader.move_to(entry);
      const T weight = reader.weight(entry);
      const T* __restrict gradient = reader.gradient(entry);
      for (int64_t c = 0; c < dim; ++c) total[c] += weight * gradient[c];
    }
  }
}

MEMLAYERS_INLINE Lanes<double> load_wide(const double* source) { return load(source); }
MEMLAYERS_INLINE Lanes<double> load_wide(const float* source) {
  using Narrow = NativeVector<float, kVectorBytes / 2>::type;
  Lanes<double> result;
  for (int p = 0; p < Lanes<double>::kParts; ++p) {
    Narrow part;
    std::memcpy(&part, source + p * Lanes<double>::kPerPart, sizeof(part));
    result.part[p] = __builtin_convertvector(part, Lanes<double>::Native);
  }
  return result;
}

/// total + the squares of `width` neighbors.
template <class T>
MEMLAYERS_INLINE Lanes<double> add_squares_of(const T* values, int64_t width, Lanes<double> total) {
  int64_t c = 0;
  for (; c + kLanes <= width; c += kLanes) {
    const Lanes<double> value = load_wide(values + c);
    total = total + value * value;
  }
  if (c < width) {
    const Lanes<double> value = load_tail<double>(values + c, width - c);
    total = total + value * value;
  }
  return total;
}

template <class T>
void add_squares(const T* values, int64_t dim, int64_t rows, double* lanes) {
  const int64_t blocks = column_blocks(dim), width = dim / blocks;
  for (int64_t b = 0; b < blocks; ++b) {
    const T* block = values + b * width;
    Lanes<double> total = load(lanes + b * kLanes);
    if (width == kLanes) {  // as most are
      for (int64_t u = 0; u < rows; ++u) total = add_squares_of(block + u * dim, kLanes, total);
    } else {
      for (int64_t u = 0; u < rows; ++u) total = add_squares_of(block + u * dim, width, total);
    }
    store(lanes + b * kLanes, total);
  }
}

void sum_lanes(const double* lanes, int64_t blocks, double* sums) {
  for (int64_t b = 0; b < blocks; ++b) sums[b] = sum(load(lanes + b * kLanes));
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const RowGradientKernel kRowGradientKernel = {sum_rows<float>, sum_rows<double>, add_squares<float>,
                                              add_squares<double>, sum_lanes};
}

}  // namespace memlayers::ops
