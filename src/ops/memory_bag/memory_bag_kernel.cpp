// A bag's rows lie anywhere in a table far larger than the caches, so what counts is to read each row once, from front
// to back, and to ask for rows early. Four rows are read side by side, into a sum that stays in the first-level cache
// (in registers where a row is short), while the rows of a later group are asked for column by column, at the pace at
// which the present ones are used up. The order of a sum is that of the bag, whatever the grouping.
#include "ops/memory_bag/memory_bag_kernel.h"

#include "ops/column_blocks.h"
#include "ops/simd/lanes.h"

namespace memlayers::ops {
namespace {

constexpr int kGroup = 4;                       // rows side by side
constexpr int64_t kAheadBytes = 32 * 1024;      // of rows on their way
constexpr int64_t kCodesAheadBytes = 8 * 1024;  // the sums beside them are four or eight times as long
constexpr int64_t kMostAhead = 64;              // groups
constexpr int kShortLanes = kVectorBytes / 8;   // a sum of so many sixteens fits the registers

// A row, column by column; columns are multiples of sixteen.

template <class Row>
constexpr int64_t bytes_before(int64_t column) {
  return std::is_same_v<Row, HalfBytes> ? column / 2 : column * int64_t(sizeof(Row));
}

/// A row's factor in the form in which multiply_at() wants it.
template <class Row, class T>
MEMLAYERS_INLINE auto row_factor(T factor) {
  if constexpr (std::is_same_v<Row, HalfBytes>) {
    return code_factor(factor);
  } else {
    return broadcast(factor);
  }
}

/// factor * sixteen columns of a row from column + offset on. `offset` is 0, or 16 where `column` begins a HalfBytes:
/// so that two neighbors are seen to lie in the same.
template <class Factor, class Row>
MEMLAYERS_INLINE auto multiply_at(const Factor& factor, const Row* row, int64_t column, int64_t offset = 0) {
  if constexpr (std::is_same_v<Row, HalfBytes>) {
    const bool upper = column % HalfBytes::kColumns + offset != 0;
    return multiply_half_bytes(factor, row[column / HalfBytes::kColumns].byte, upper);
  } else {
    return factor * load(row + column + offset);
  }
}

template <class Row>
MEMLAYERS_INLINE auto load_at(const Row* row, int64_t column, int64_t offset = 0) {
  if constexpr (std::is_same_v<Row, HalfBytes>) {
    return multiply_at(row_factor<Row>(1.0f), row, column, offset);
  } else {
    return load(row + column + offset);
  }
}

/// The last `count` (< 16) columns.
template <class T, class Row>
MEMLAYERS_INLINE Lanes<T> load_tail_at(const Row* row, int64_t column, int64_t count) {
  if constexpr (std::is_same_v<Row, HalfBytes>) {
    return load_at(row, column);  // filled up with zeros
  } else {
    return load_tail<T>(row + column, count);
  }
}

/// Asks for sixteen columns. Into the second-level cache: more lines can be on their way there than to the first level.
template <class Row>
MEMLAYERS_INLINE void prefetch_at(const Row* row, int64_t column) {
  const char* bytes = reinterpret_cast<const char*>(row) + bytes_before<Row>(column);
  for (int64_t b = 0; b < bytes_before<Row>(kLanes); b += 64) __builtin_prefetch(bytes + b, 0, 2);
}

/// Whether sixteen columns begin a line. Those of a narrow row are less than a line: asking for it once is enough.
template <class Row>
MEMLAYERS_INLINE bool begins_line(int64_t column) {
  return bytes_before<Row>(kLanes) >= 64 || bytes_before<Row>(column) % 64 == 0;
}

/// Walks over the entries (token, position) of a range of bags, `kGroup` at a time, and knows what lies ahead.
template <class Row, class T>
struct Entries {
  const BagProblem<Row, T>& bag;
  int64_t row_length;
  int64_t end;    // of the range
  int64_t ahead;  // entries between a row's prefetch and its use

  Entries(const BagProblem<Row, T>& problem, int64_t last_token)
      : bag(problem), row_length(problem.row_length()), end(last_token * problem.bag_size) {
    const int64_t rows = (kIsCode<Row> ? kCodesAheadBytes : kAheadBytes) / (bytes_before<Row>(bag.value_dim) + 1);
    ahead = kGroup * (rows < kGroup ? 1 : rows < kMostAhead * kGroup ? rows / kGroup : kMostAhead);
  }
  MEMLAYERS_INLINE const Row* row(int64_t entry) const { return bag.table + bag.slots[entry] * row_length; }
  /// What multiplies a row's numbers.
  MEMLAYERS_INLINE T weight(const T* weights, int64_t entry) const {
    return kIsCode<Row> ? weights[entry] * T(bag.scales[bag.slots[entry]]) : weights[entry];
  }
  /// The row to ask for while `entry` is used; past the end, one that is there already. Its scale is asked for here.
  MEMLAYERS_INLINE const Row* later_row(int64_t entry) const {
    const int64_t later = entry + ahead < end ? entry + ahead : entry;
    if constexpr (kIsCode<Row>) __builtin_prefetch(bag.scales + bag.slots[later]);
    return row(later);
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
  /// Asks for sixteen columns of the later rows.
  MEMLAYERS_INLINE void prefetch(int64_t column) const {
    if (!begins_line<Row>(column)) return;
    for (int i = 0; i < count; ++i) prefetch_at(later[i], column);
  }
};

/// sum[c ...] += the rows' columns [c, c + 16 * steps) times their factors, one row after another.
template <int steps, int count, class Row, class Factor, class T>
MEMLAYERS_INLINE void add_columns(const RowGroup<count, Row>& group, const Factor (&factor)[count], int64_t c, T* sum) {
  Lanes<T> total[steps];
  for (int s = 0; s < steps; ++s) {
    group.prefetch(c + s * kLanes);
    total[s] = load(sum + c + s * kLanes);
  }
  for (int i = 0; i < count; ++i) {
    for (int s = 0; s < steps; ++s) total[s] = total[s] + multiply_at(factor[i], group.row[i], c, s * kLanes);
  }
  for (int s = 0; s < steps; ++s) store(sum + c + s * kLanes, total[s]);
}

/// sum[c] += weights of `count` rows, one after another. `sum` has room for whole sixteens.
template <int count, class Row, class T>
MEMLAYERS_INLINE void add_rows(const Entries<Row, T>& entries, int64_t entry, const T* weights, T* sum) {
  constexpr int kSteps = bytes_before<Row>(kLanes) >= 64 ? 1 : 2;
  const RowGroup<count, Row> group(entries, entry);
  decltype(row_factor<Row>(T{})) factor[count];
  for (int i = 0; i < count; ++i) factor[i] = row_factor<Row>(entries.weight(weights, entry + i));
  const int64_t dim = entries.bag.value_dim, whole = dim / kLanes * kLanes;
  int64_t c = 0;
  for (; c + kSteps * kLanes <= whole; c += kSteps * kLanes) add_columns<kSteps>(group, factor, c, sum);
  for (; c < whole; c += kLanes) add_columns<1>(group, factor, c, sum);
  if (whole < dim) {
    group.prefetch(whole);
    Lanes<T> total = load(sum + whole);
    for (int i = 0; i < count; ++i) {
      const Lanes<T> weight = broadcast(entries.weight(weights, entry + i));
      total = total + weight * load_tail_at<T>(group.row[i], whole, dim - whole);
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
    const RowGroup<1, Row> one(entries, e);
    const auto factor = row_factor<Row>(entries.weight(weights, e));
    for (int l = 0; l < lanes; ++l) {
      one.prefetch(l * kLanes);
      total[l] = total[l] + multiply_at(factor, one.row[0], l * kLanes);
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
void forward(const BagProblem<Row, T>& bag, const T* weights, typename BagProblem<Row, T>::Output* output, T* scratch,
             int64_t first, int64_t last) {
  const Entries<Row, T> entries(bag, last);
  entries.start(first);
  const int64_t dim = bag.value_dim, whole = dim / kLanes * kLanes;
  for (int64_t t = first; t < last; ++t) {
    sum_bag(entries, t * bag.bag_size, weights, scratch);
    auto* out = output + t * dim;
    for (int64_t c = 0; c < whole; c += kLanes) store(out + c, load(scratch + c));
    if (whole < dim) {
      typename BagProblem<Row, T>::Output tail[kLanes];
      store(tail, load(scratch + whole));
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
    group.prefetch(c);
    const Lanes<T> left = load(grad + c);
    for (int i = 0; i < count; ++i) total[i] = total[i] + left * load_at(group.row[i], c);
  }
  if (c < end) {
    group.prefetch(c);
    const Lanes<T> left = load_tail<T>(grad + c, end - c);
    for (int i = 0; i < count; ++i) total[i] = total[i] + left * load_tail_at<T>(group.row[i], c, end - c);
  }
  return sums(total);
}

/// The same over two blocks of sixteen columns.
template <int count, class Row, class T>
MEMLAYERS_INLINE Sums<T, count> multiply_two_blocks(const RowGroup<count, Row>& group, const T* grad, int64_t begin) {
  Lanes<T> total[2][count];
  for (int b = 0; b < 2; ++b) {
    group.prefetch(begin + b * kLanes);
    const Lanes<T> left = load(grad + begin + b * kLanes);
    for (int i = 0; i < count; ++i) total[b][i] = broadcast(T{0}) + left * load_at(group.row[i], begin, b * kLanes);
  }
  return sums(total[0]) + sums(total[1]);
}

/// Dot products of grad with `count` rows, in the order of column_blocks.h.
template <int count, class Row, class T>
MEMLAYERS_INLINE void multiply_rows(const Entries<Row, T>& entries, int64_t entry, const T* grad, T* gradient) {
  const RowGroup<count, Row> group(entries, entry);
  const int64_t dim = entries.bag.value_dim, blocks = column_blocks(dim), width = dim / blocks;
  BlockTree<Sums<T, count>> tree;
  if (width == kLanes && blocks > 1) {  // as most are
    for (int64_t c = 0; c < dim; c += 2 * kLanes) tree.add(multiply_two_blocks(group, grad, c));
  } else {
    for (int64_t b = 0; b < blocks; ++b) tree.add(multiply_block(group, grad, b * width, (b + 1) * width));
  }
  for (int i = 0; i < count; ++i) {
    const T product = tree.total()[i];
    gradient[entry + i] = kIsCode<Row> ? product * T(entries.bag.scales[entries.bag.slots[entry + i]]) : product;
  }
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
                              .float64 = {forward<double, double>, weight_gradient<double, double>},
                              .int8 = {forward<int8_t, float>, weight_gradient<int8_t, float>},
                              .int4 = {forward<HalfBytes, float>, weight_gradient<HalfBytes, float>}};
}

}  // namespace memlayers::ops
