// A bag's rows lie anywhere in a table far larger than the caches, so what counts is to read each row once, from front to
// back, and to ask for rows early. Four rows are read side by side, into a sum that stays in the first-level cache (in
// registers where a row is short), while the rows of a later group are asked for column by column, at the pace at which the
// present ones are used up. The order of a sum is that of the bag, whatever the grouping.
#include "ops/memory_bag/memory_bag_kernel.h"

#include "ops/column_blocks.h"
#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

constexpr int kGroup = 4;                      // rows side by side
constexpr int64_t kAheadBytes = 32 * 1024;     // of rows on their way
constexpr int64_t kMostAhead = 64;             // groups
constexpr int kShortLanes = kVectorBytes / 8;  // a sum of so many sixteens fits the registers

template <class Row>
MEMLAYERS_INLINE void prefetch_at(const Row* row, int64_t column) {
  // Sixteen columns of a narrow row are less than a line: asking for it once is enough.
  if (sizeof(Row) * kLanes >= 64 || column * int64_t(sizeof(Row)) % 64 == 0) {
    const char* bytes = reinterpret_cast<const char*>(row + column);
    // Into the second-level cache: more lines can be on their way there than to the first level.
    for (int64_t b = 0; b < kLanes * int64_t(sizeof(Row)); b += 64) __builtin_prefetch(bytes + b, 0, 2);
  }
}

MEMLAYERS_INLINE void store_numbers(float* target, const Lanes<float>& value) { store(target, value); }
MEMLAYERS_INLINE void store_numbers(double* target, const Lanes<double>& value) { store(target, value); }
MEMLAYERS_INLINE void store_numbers(uint16_t* target, const Lanes<float>& value) { store_narrow(target, value); }

/// Walks over the entries (token, position) of a range of bags, `kGroup` at a time, and knows what lies ahead.
template <class Row, class T>
struct Entries {
  const BagProblem<Row, T>& bag;
  int64_t end;    // of the range
  int64_t ahead;  // entries between a row's prefetch and its use

  Entries(const BagProblem<Row, T>& problem, int64_t last_token) : bag(problem), end(last_token * problem.bag_size) {
    const int64_t rows = kAheadBytes / (bag.value_dim * int64_t(sizeof(Row)) + 1);
    ahead = kGroup * (rows < kGroup ? 1 : rows < kMostAhead * kGroup ? rows / kGroup : kMostAhead);
  }
  MEMLAYERS_INLINE const Row* row(int64_t entry) const { return bag.table + bag.slots[entry] * bag.value_dim; }
  /// The row to ask for while `entry` is used; past the end, one that is there already.
  MEMLAYERS_INLINE const Row* later_row(int64_t entry) const {
    return row(entry + ahead < end ? entry + ahead : entry);
  }

  /// Asks for the first rows of the range, which nobody asked for while others were used.
  void start(int64_t first_token) const {
    const int64_t begin = first_token * bag.bag_size;
    for (int64_t e = begin; e < end && e < begin + ahead; ++e) {
      for (int64_t c = 0; c < bag.value_dim; c += kLanes) prefetch_at(row(e), c);
    }
  }
};

/// `count` rows that are used side by side, and those to ask for meanwhile.
template <int count, class Row>
struct RowGroup {
  const Row *row[count], *later[count];

  template <class T>
  MEMLAYERS_INLINE RowGroup(const Entries<Row, T>& entries, int64_t entry) {
    for (int i = 0; i < count; ++i) {
      row[i] = entries.row(entry + i);
      later[i] = entries.later_row(entry + i);
    }
  }
};

/// sum[c] += weights of `count` rows, one after another. `sum` has room for whole sixteens.
template <int count, class Row, class T>
MEMLAYERS_INLINE void add_rows(const Entries<Row, T>& entries, int64_t entry, const T* weights, T* sum) {
  const RowGroup<count, Row> group(entries, entry);
  Lanes<T> weight[count];
  for (int i = 0; i < count; ++i) weight[i] = broadcast(weights[entry + i]);
  const int64_t dim = entries.bag.value_dim, whole = dim / kLanes * kLanes;
  for (int64_t c = 0; c < whole; c += kLanes) {
    Lanes<T> total = load(sum + c);
    for (int i = 0; i < count; ++i) {
      prefetch_at(group.later[i], c);
      total = total + weight[i] * load(group.row[i] + c);
    }
    store(sum + c, total);
  }
  if (whole < dim) {
    Lanes<T> total = load(sum + whole);
    for (int i = 0; i < count; ++i) {
      prefetch_at(group.later[i], whole);
      total = total + weight[i] * load_tail<T>(group.row[i] + whole, dim - whole);
    }
    store(sum + whole, total);
  }
}

/// The sum of a bag whose rows are `lanes` whole sixteens, in registers.
template <int lanes, class Row, class T>
MEMLAYERS_INLINE void sum_short_bag(const Entries<Row, T>& entries, int64_t begin, const T* weights, T* sum) {
  Lanes<T> total[lanes];
  for (int l = 0; l < lanes; ++l) total[l] = broadcast(T{0});
  for (int64_t e = begin; e < begin + entries.bag.bag_size; ++e) {
    const Row *row = entries.row(e), *later = entries.later_row(e);
    const Lanes<T> weight = broadcast(weights[e]);
    for (int l = 0; l < lanes; ++l) {
      prefetch_at(later, l * kLanes);
      total[l] = total[l] + weight * load(row + l * kLanes);
    }
  }
  for (int l = 0; l < lanes; ++l) store(sum + l * kLanes, total[l]);
}

template <class Row, class T>
MEMLAYERS_INLINE void sum_long_bag(const Entries<Row, T>& entries, int64_t begin, const T* weights, T* sum) {
  for (int64_t c = 0; c < entries.bag.value_dim; c += kLanes) store(sum + c, broadcast(T{0}));
  int64_t e = begin;
  const int64_t end = begin + entries.bag.bag_size;
  for (; e + kGroup <= end; e += kGroup) add_rows<kGroup>(entries, e, weights, sum);
  for (; e < end; ++e) add_rows<1>(entries, e, weights, sum);
}

template <class Row, class T>
MEMLAYERS_INLINE void sum_bag(const Entries<Row, T>& entries, int64_t begin, const T* weights, T* sum) {
  switch (entries.bag.value_dim) {
    case 2 * kLanes:
      return sum_short_bag<2>(entries, begin, weights, sum);
    case 4 * kLanes:
      return sum_short_bag<4>(entries, begin, weights, sum);
    case 8 * kLanes:
      if constexpr (8 <= kShortLanes) return sum_short_bag<8>(entries, begin, weights, sum);
      [[fallthrough]];
    default:
      return sum_long_bag(entries, begin, weights, sum);
  }
}

template <class Row, class T>
void forward(const BagProblem<Row, T>& bag, const T* weights, Row* output, T* scratch, int64_t first, int64_t last) {
  const Entries<Row, T> entries(bag, last);
  entries.start(first);
  const int64_t dim = bag.value_dim, whole = dim / kLanes * kLanes;
  for (int64_t t = first; t < last; ++t) {
    sum_bag(entries, t * bag.bag_size, weights, scratch);
    Row* out = output + t * dim;
    for (int64_t c = 0; c < whole; c += kLanes) store_numbers(out + c, load(scratch + c));
    if (whole < dim) {
      Row tail[kLanes];
      store_numbers(tail, load(scratch + whole));
      for (int64_t c = whole; c < dim; ++c) out[c] = tail[c - whole];
    }
  }
}

/// Dot products of grad with a group of rows over columns [begin, end), which are one block.
template <int count, class Row, class T>
MEMLAYERS_INLINE Sums<T, count> multiply_block(const RowGroup<count, Row>& group, const T* grad, int64_t begin,
                                               int64_t end) {
  Lanes<T> total[count];
  for (int i = 0; i < count; ++i) total[i] = broadcast(T{0});
  int64_t c = begin;
  for (; c + kLanes <= end; c += kLanes) {
    const Lanes<T> left = load(grad + c);
    for (int i = 0; i < count; ++i) {
      prefetch_at(group.later[i], c);
      total[i] = total[i] + left * load(group.row[i] + c);
    }
  }
  if (c < end) {
    const Lanes<T> left = load_tail<T>(grad + c, end - c);
    for (int i = 0; i < count; ++i) {
      prefetch_at(group.later[i], c);
      total[i] = total[i] + left * load_tail<T>(group.row[i] + c, end - c);
    }
  }
  return sums(total);
}

/// The same over `blocks` blocks of sixteen columns, added in the tree.
template <int blocks, int count, class Row, class T>
MEMLAYERS_INLINE Sums<T, count> multiply_sixteens(const RowGroup<count, Row>& group, const T* grad, int64_t begin) {
  if constexpr (blocks == 1) {
    return multiply_block(group, grad, begin, begin + kLanes);
  } else {
    const auto left = multiply_sixteens<blocks / 2>(group, grad, begin);
    return left + multiply_sixteens<blocks / 2>(group, grad, begin + blocks / 2 * kLanes);
  }
}

/// Dot products of grad with `count` rows, in the order of column_blocks.h.
template <int count, class Row, class T>
MEMLAYERS_INLINE void multiply_rows(const Entries<Row, T>& entries, int64_t entry, const T* grad, T* gradient) {
  constexpr int kRun = 2;  // blocks of sixteen columns that are taken together
  const RowGroup<count, Row> group(entries, entry);
  const int64_t dim = entries.bag.value_dim, blocks = column_blocks(dim), width = dim / blocks;
  BlockTree<Sums<T, count>> tree;
  if (width == kLanes && blocks % kRun == 0) {
    for (int64_t c = 0; c < dim; c += kRun * kLanes) tree.add(multiply_sixteens<kRun>(group, grad, c));
  } else {
    for (int64_t b = 0; b < blocks; ++b) tree.add(multiply_block(group, grad, b * width, (b + 1) * width));
  }
  for (int i = 0; i < count; ++i) gradient[entry + i] = tree.total()[i];
}

template <class Row, class T>
void weight_gradient(const BagProblem<Row, T>& bag, const T* grad_output, T* gradient, int64_t first, int64_t last) {
  const Entries<Row, T> entries(bag, last);
  entries.start(first);
  for (int64_t t = first; t < last; ++t) {
    const T* grad = grad_output + t * bag.value_dim;
    int64_t e = t * bag.bag_size;
    const int64_t end = e + bag.bag_size;
    for (; e + kGroup <= end; e += kGroup) multiply_rows<kGroup>(entries, e, grad, gradient);
    for (; e < end; ++e) multiply_rows<1>(entries, e, grad, gradient);
  }
}

}  // namespace

namespace MEMLAYERS_KERNEL_ISA {
const BagKernel kBagKernel = {.float32 = {forward<float, float>, weight_gradient<float, float>},
                              .bfloat16 = {forward<uint16_t, float>, weight_gradient<uint16_t, float>},
                              .float64 = {forward<double, double>, weight_gradient<double, double>}};
}

}  // namespace memlayers::ops
