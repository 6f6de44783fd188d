// Selection in two kernels; neither writes a score that is not among a half's best.
//
// Lists: a block scores 32 tokens (16 in double) against one half of one head, 128 sub-keys at a time. The thread that
// computes a score hands it to its warp, which keeps for each of its tokens those above the best so far: a ballot a
// score, and now and then the list is ranked by counting and cut. A dot product is one chain of fused multiply-adds in
// the order of its dimensions, as in the CPU kernels.
// Pairs: a warp ranks one head's staircase i * j <= k by counting. Ranks of a total order are distinct, so each of the
// k best writes itself to its place. Ties that go on beyond the staircase: as product_key_topk_kernel.cpp explains.
#include "ops/cuda/device.h"
#include "ops/product_key_topk/product_key_topk_cuda.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kListWarps = 8;
constexpr int kListThreads = kListWarps * kWarp;
constexpr int kKeysPerThread = 4;
constexpr int kKeysPerTile = kWarp * kKeysPerThread;
constexpr int kDimsPerTile = 16;
constexpr int kKeyStride = kKeysPerTile + 1;  // so that threads that write a column of it meet no bank twice
constexpr int kCapacity = 128;                // of a list before it is cut
constexpr int kPairWarps = 4;
constexpr int kGradientThreads = 128;
static_assert(kMostListed + kWarp <= kCapacity);

template <class T>
constexpr int kTokensPerWarp = 16 / int(sizeof(T));

template <class T>
__device__ __forceinline__ T lowest() {
  return T(__uint_as_float(0xFF800000));
}

/// A NaN counts as minus infinity, in a half and in a sum of two.
template <class T>
__device__ __forceinline__ T ordered(T score) {
  return score == score ? score : lowest<T>();
}

template <class T, class Index>
__device__ __forceinline__ bool is_better(T score, Index index, T than, Index than_index) {
  return score > than || (score == than && index < than_index);
}

__device__ __forceinline__ int lanes_before(uint32_t mask) { return __popc(mask & ((1u << lane_index()) - 1)); }

__device__ __forceinline__ float multiply_add(float a, float b, float sum) { return fmaf(a, b, sum); }
__device__ __forceinline__ double multiply_add(double a, double b, double sum) { return fma(a, b, sum); }

/// The best of the scores that a warp has shown it for one token. All lanes hold the same count and bound.
template <class T>
struct BestList {
  SharedPointer<T> scores;  // [kCapacity]
  SharedPointer<int32_t> keys;
  int wanted;
  int count;
  bool bounded;  // `wanted` scores are at least `bound`
  T bound;

  /// Keys come in ascending order, so one that equals the bound has a lower sub-key before it.
  __device__ __forceinline__ void show(T score, int32_t key, bool exists) {
    const bool passes = exists && (!bounded || score > bound);
    const uint32_t passing = __ballot_sync(kFullMask, passes);
    if (passing == 0) return;
    if (count + kWarp > kCapacity) cut();
    const int place = count + lanes_before(passing);
    if (passes) {
      scores[place] = score;
      keys[place] = key;
    }
    count += __popc(passing);
  }

  /// Sorts, and forgets all but the `wanted` best.
  __device__ void cut() {
    constexpr int kPerLane = kCapacity / kWarp;
    T score[kPerLane];
    int32_t key[kPerLane];
    int rank[kPerLane] = {};
    __syncwarp();
#pragma unroll
    for (int e = 0; e < kPerLane; ++e) {
      const int place = lane_index() + e * kWarp;
      score[e] = place < count ? T(scores[place]) : lowest<T>();
      key[e] = place < count ? int32_t(keys[place]) : 0x7FFFFFFF;
    }
    for (int q = 0; q < count; ++q) {
      const T other = scores[q];
      const int32_t other_key = keys[q];
#pragma unroll
      for (int e = 0; e < kPerLane; ++e) rank[e] += is_better(other, other_key, score[e], key[e]) ? 1 : 0;
    }
    __syncwarp();
#pragma unroll
    for (int e = 0; e < kPerLane; ++e) {
      if (lane_index() + e * kWarp < count && rank[e] < wanted) {
        scores[rank[e]] = score[e];
        keys[rank[e]] = key[e];
      }
    }
    if (count > wanted) count = wanted;
    __syncwarp();
    bounded = count == wanted;
    if (bounded) bound = scores[wanted - 1];
  }

  /// To row `row` of the lists.
  __device__ void write(const HalfLists<T>& lists, int64_t row) {
    cut();
    for (int i = lane_index(); i < wanted; i += kWarp) {
      lists.scores[row * lists.length + i] = scores[i];
      lists.sub_keys[row * lists.length + i] = keys[i];
    }
  }
};

template <class T>
__device__ __forceinline__ BestList<T> empty_list(SharedPointer<T> scores, SharedPointer<int32_t> keys, int number,
                                                  const HalfLists<T>& lists) {
  return {scores + number * kCapacity, keys + number * kCapacity, int(lists.length), 0, false, T(0)};
}

/// Copies [rows, kDimsPerTile] numbers of a matrix with rows `row_step` apart, transposed; what is outside is zero.
template <class T>
__device__ __forceinline__ void stage(const T* source, int64_t row_step, int64_t rows_there, int64_t dims_there,
                                      int rows, SharedPointer<T> target, int target_stride) {
  for (int i = thread_index(); i < rows * kDimsPerTile; i += kListThreads) {
    const int row = i / kDimsPerTile, d = i % kDimsPerTile;
    target[d * target_stride + row] = row < rows_there && d < dims_there ? source[row * row_step + d] : T(0);
  }
}

/// One block a tile of tokens of one half of one head.
template <class T>
__global__ void __launch_bounds__(kListThreads)
    list_from_products(int64_t heads, int64_t n, int64_t dim, const T* __restrict__ query,
                       const T* __restrict__ sub_keys, HalfLists<T> lists, int64_t tokens) {
  constexpr int kTokens = kTokensPerWarp<T>, kTileTokens = kListWarps * kTokens, kQueryStride = kTileTokens + 1;
  MEMLAYERS_SHARED(T, key_tile, kDimsPerTile * kKeyStride);
  MEMLAYERS_SHARED(T, query_tile, kDimsPerTile * kQueryStride);
  MEMLAYERS_SHARED(T, list_scores, kTileTokens * kCapacity);
  MEMLAYERS_SHARED(int32_t, list_keys, kTileTokens * kCapacity);
  const int64_t half = block_index() % (2 * heads), first_token = block_index() / (2 * heads) * kTileTokens;
  const T* block_query = query + (first_token * 2 * heads + half) * dim;
  const T* block_keys = sub_keys + half * n * dim;
  const int first_row = warp_index() * kTokens;  // of the tile: this warp's tokens
  BestList<T> list[kTokens];
#pragma unroll
  for (int t = 0; t < kTokens; ++t) list[t] = empty_list<T>(list_scores, list_keys, first_row + t, lists);
  for (int64_t key = 0; key < n; key += kKeysPerTile) {
    T score[kTokens][kKeysPerThread] = {};
    for (int64_t d0 = 0; d0 < dim; d0 += kDimsPerTile) {
      __syncthreads();
      stage<T>(block_keys + key * dim + d0, dim, n - key, dim - d0, kKeysPerTile, key_tile, kKeyStride);
      stage<T>(block_query + d0, 2 * heads * dim, tokens - first_token, dim - d0, kTileTokens, query_tile,
               kQueryStride);
      __syncthreads();
      const int dims = dim - d0 < kDimsPerTile ? int(dim - d0) : kDimsPerTile;
#pragma unroll 4
      for (int d = 0; d < dims; ++d) {
        T factor[kTokens], value[kKeysPerThread];
#pragma unroll
        for (int t = 0; t < kTokens; ++t) factor[t] = query_tile[d * kQueryStride + first_row + t];
#pragma unroll
        for (int i = 0; i < kKeysPerThread; ++i) value[i] = key_tile[d * kKeyStride + lane_index() + i * kWarp];
#pragma unroll
        for (int t = 0; t < kTokens; ++t) {
#pragma unroll
          for (int i = 0; i < kKeysPerThread; ++i) score[t][i] = multiply_add(factor[t], value[i], score[t][i]);
        }
      }
    }
#pragma unroll
    for (int t = 0; t < kTokens; ++t) {
#pragma unroll
      for (int i = 0; i < kKeysPerThread; ++i) {
        const int64_t mine = key + i * kWarp + lane_index();
        list[t].show(ordered(score[t][i]), int32_t(mine), mine < n);
      }
    }
  }
#pragma unroll
  for (int t = 0; t < kTokens; ++t) {
    const int64_t token = first_token + first_row + t;
    if (token < tokens) list[t].write(lists, token * 2 * heads + half);
  }
}

/// One warp a half of one token's head.
template <class T>
__global__ void __launch_bounds__(kListThreads)
    list_from_scores(int64_t n, const T* __restrict__ half_scores, HalfLists<T> lists, int64_t rows) {
  MEMLAYERS_SHARED(T, list_scores, kListWarps * kCapacity);
  MEMLAYERS_SHARED(int32_t, list_keys, kListWarps * kCapacity);
  const int64_t row = block_index() * kListWarps + warp_index();
  if (row >= rows) return;
  BestList<T> list = empty_list<T>(list_scores, list_keys, warp_index(), lists);
  for (int64_t key = lane_index(); key < divide_up(n, kWarp) * kWarp; key += kWarp) {
    list.show(key < n ? ordered(half_scores[row * n + key]) : T(0), int32_t(key), key < n);
  }
  list.write(lists, row);
}

/// One block a half of one token's head: every score's rank among all.
template <class T>
__global__ void rank_scores(int64_t n, const T* __restrict__ half_scores, HalfLists<T> lists) {
  const T* scores = half_scores + block_index() * n;
  for (int64_t i = thread_index(); i < n; i += block_threads()) {
    const T score = ordered(scores[i]);
    int64_t rank = 0;
    for (int64_t q = 0; q < n; ++q) rank += is_better(ordered(scores[q]), q, score, i) ? 1 : 0;
    if (rank < lists.length) {
      lists.scores[block_index() * lists.length + rank] = score;
      lists.sub_keys[block_index() * lists.length + rank] = int32_t(i);
    }
  }
}

template <class T>
__device__ __forceinline__ T dot(const T* a, const T* b, int64_t dim) {
  T sum = 0;
  for (int64_t d = 0; d < dim; ++d) sum = multiply_add(a[d], b[d], sum);
  return sum;
}

/// One thread a score.
template <class T>
__global__ void score_all(int64_t heads, int64_t n, int64_t dim, const T* __restrict__ query,
                          const T* __restrict__ sub_keys, T* __restrict__ half_scores, int64_t count) {
  const int64_t i = block_index() * block_threads() + thread_index();
  if (i >= count) return;
  const int64_t row = i / n, half = row % (2 * heads);
  half_scores[i] = dot(query + row * dim, sub_keys + (half * n + i % n) * dim, dim);
}

/// The scores of one token's head, where they are all asked for.
template <class T>
struct HeadScores {
  const T *first_given, *first_query, *first_keys;  // of the first half; the second follows
  int64_t n, dim;

  __device__ HeadScores(const HalfScoreSource<T>& source, int64_t row, int64_t heads, int64_t sub_keys,
                        int64_t half_dim)
      : first_given(source.given ? source.given + row * 2 * sub_keys : nullptr),
        first_query(source.query + row * 2 * half_dim),
        first_keys(source.sub_keys + row % heads * 2 * sub_keys * half_dim),
        n(sub_keys),
        dim(half_dim) {}

  __device__ T operator()(int half, int64_t key) const {
    if (first_given) return ordered(first_given[half * n + key]);
    return ordered(dot(first_query + half * dim, first_keys + (half * n + key) * dim, dim));
  }
};

/// What select_row works on.
template <class T>
struct RowOfPairs {
  int64_t n, k, length;
  const T *first, *second;  // sorted scores of the two lists
  const int32_t *first_keys, *second_keys;
  T* scores;  // [k]
  int64_t* slots;
};

/// Overwrites the slots that have the k-th best score, from place `placed` on, by the lowest of all n * n that have it.
template <class T>
__device__ void resolve_tie(const RowOfPairs<T>& row, const HeadScores<T>& score_of, T kth, int64_t placed) {
  const int64_t n = row.n;
  __syncwarp();  // the slots that are overwritten are other lanes'
  for (int64_t begin = 0; begin < n && placed < row.k; begin += kWarp) {
    const int64_t mine = begin + lane_index();
    const T first = mine < n ? score_of(0, mine) : lowest<T>();
    uint32_t reaching = __ballot_sync(kFullMask, mine < n && !(ordered(first + row.second[0]) < kth));
    for (; reaching != 0 && placed < row.k; reaching &= reaching - 1) {
      const int lane = __ffs(int(reaching)) - 1;
      const T score = __shfl_sync(kFullMask, first, lane);
      for (int64_t other = 0; other < n && placed < row.k; other += kWarp) {
        const int64_t j = other + lane_index();
        const bool equal = j < n && ordered(score + score_of(1, j < n ? j : 0)) == kth;
        const uint32_t found = __ballot_sync(kFullMask, equal);
        const int64_t place = placed + lanes_before(found);
        if (equal && place < row.k) row.slots[place] = (begin + lane) * n + j;
        placed += __popc(found);
      }
    }
  }
}

/// The k best pairs of one token's head, by one warp.
template <class T, class Scores, class Slots>
__device__ void select_row(const RowOfPairs<T>& row, Scores pair_scores, Slots pair_slots,
                           const HeadScores<T>& score_of) {
  const int64_t n = row.n, k = row.k;
  int64_t count = 0;
  for (int64_t i = 0; i < k && i < n; ++i) {
    const int64_t width = k / (i + 1) < n ? k / (i + 1) : n;
    for (int64_t j = lane_index(); j < width; j += kWarp) {
      pair_scores[count + j] = ordered(row.first[i] + row.second[j]);
      pair_slots[count + j] = row.first_keys[i] * n + row.second_keys[j];
    }
    count += width;
  }
  __syncwarp();
  T kth = 0;
  bool has_kth = false;
  for (int64_t p = lane_index(); p < count; p += kWarp) {
    const T score = pair_scores[p];
    const int64_t slot = pair_slots[p];
    int64_t rank = 0;
    for (int64_t q = 0; q < count; ++q) {
      rank += is_better<T, int64_t>(pair_scores[q], pair_slots[q], score, slot) ? 1 : 0;
    }
    if (rank >= k) continue;
    row.scores[rank] = score;
    row.slots[rank] = slot;
    if (rank == k - 1) {
      kth = score;
      has_kth = true;
    }
  }
  kth = __shfl_sync(kFullMask, kth, __ffs(int(__ballot_sync(kFullMask, has_kth))) - 1);
  // Beyond the staircase the best of each of its rows is the one next to it.
  bool goes_on = false;
  for (int64_t i = lane_index(); i < row.length; i += kWarp) {
    const int64_t j = k / (i + 1);
    if (j < n) goes_on |= ordered(row.first[i] + row.second[j]) == kth;
  }
  if (!__any_sync(kFullMask, goes_on)) return;
  uint32_t above = 0;
  for (int64_t p = lane_index(); p < count; p += kWarp) above += T(pair_scores[p]) > kth ? 1 : 0;
  resolve_tie(row, score_of, kth, int64_t(__reduce_add_sync(kFullMask, above)));
}

template <class T>
__device__ __forceinline__ RowOfPairs<T> row_of(const HalfLists<T>& lists, int64_t row, int64_t n, int64_t k, T* scores,
                                                int64_t* slots) {
  const int64_t first = row * 2 * lists.length, second = first + lists.length;
  return {n,
          k,
          lists.length,
          lists.scores + first,
          lists.scores + second,
          lists.sub_keys + first,
          lists.sub_keys + second,
          scores + row * k,
          slots + row * k};
}

template <class T>
__global__ void __launch_bounds__(kPairWarps* kWarp)
    pairs_in_shared(TopKShape shape, HalfLists<T> lists, HalfScoreSource<T> source, T* scores, int64_t* slots,
                    int64_t rows) {
  constexpr int kPairs = int(kMostPairsShared);
  MEMLAYERS_SHARED(T, pair_scores, kPairWarps * kPairs);
  MEMLAYERS_SHARED(int64_t, pair_slots, kPairWarps * kPairs);
  const int64_t row = block_index() * kPairWarps + warp_index();
  if (row >= rows) return;
  const HeadScores<T> score_of(source, row, shape.heads, shape.num_sub_keys, shape.half_dim);
  select_row<T, SharedPointer<T>, SharedPointer<int64_t>>(
      row_of(lists, row, shape.num_sub_keys, shape.k, scores, slots), pair_scores + warp_index() * kPairs,
      pair_slots + warp_index() * kPairs, score_of);
}

template <class T>
__global__ void __launch_bounds__(kPairWarps* kWarp)
    pairs_in_scratch(TopKShape shape, HalfLists<T> lists, HalfScoreSource<T> source, T* pair_scores,
                     int64_t* pair_slots, int64_t pairs, T* scores, int64_t* slots, int64_t rows) {
  const int64_t row = block_index() * kPairWarps + warp_index();
  if (row >= rows) return;
  const HeadScores<T> score_of(source, row, shape.heads, shape.num_sub_keys, shape.half_dim);
  select_row<T, T*, int64_t*>(row_of(lists, row, shape.num_sub_keys, shape.k, scores, slots), pair_scores + row * pairs,
                              pair_slots + row * pairs, score_of);
}

// Gradients. Products and sums are rounded one by one, as in the CPU kernels.

/// One block one token's head: a thread owns some of its 2 * dim columns and adds the k slots in their order.
template <class T>
__global__ void query_gradient_rows(TopKShape shape, const T* __restrict__ grad_scores,
                                    const int64_t* __restrict__ slots, const T* __restrict__ sub_keys,
                                    T* __restrict__ grad_query) {
  const int64_t row = block_index(), n = shape.num_sub_keys, dim = shape.half_dim, k = shape.k;
  for (int64_t c = thread_index(); c < 2 * dim; c += block_threads()) {
    const int64_t half = c / dim;
    const T* keys = sub_keys + (row % shape.heads * 2 + half) * n * dim + c % dim;
    T total = 0;
#pragma unroll 4
    for (int64_t j = row * k; j < (row + 1) * k; ++j) {
      const int64_t key = half == 0 ? slots[j] / n : slots[j] % n;
      total += grad_scores[j] * keys[key * dim];
    }
    grad_query[row * 2 * dim + c] = total;
  }
}

__global__ void number_keys(TopKShape shape, const int64_t* __restrict__ slots, uint64_t* __restrict__ keys,
                            int64_t entries) {
  const int64_t e = block_index() * block_threads() + thread_index();
  if (e >= entries) return;
  const int64_t n = shape.num_sub_keys, first_row = e / shape.k % shape.heads * 2 * n;
  keys[e] = uint64_t(first_row + slots[e] / n) << 32 | uint64_t(e);
  keys[entries + e] = uint64_t(first_row + n + slots[e] % n) << 32 | uint64_t(e);
}

/// The first place whose slot is at least `slot`.
__device__ __forceinline__ int64_t lower_bound(const uint64_t* sorted, int64_t count, int64_t slot) {
  int64_t first = 0;
  while (count > 0) {
    const int64_t half = count / 2;
    const bool below = int64_t(sorted[first + half] >> 32) < slot;
    first = below ? first + half + 1 : first;
    count = below ? count - half - 1 : half;
  }
  return first;
}

/// One block a sub-key.
template <class T>
__global__ void sub_key_gradient_rows(TopKShape shape, const uint64_t* __restrict__ sorted, int64_t count,
                                      const T* __restrict__ grad_scores, const T* __restrict__ query,
                                      T* __restrict__ grad_sub_keys) {
  const int64_t row = block_index(), dim = shape.half_dim, half = row / shape.num_sub_keys % 2;
  const int64_t begin = lower_bound(sorted, count, row), end = lower_bound(sorted, count, row + 1);
  for (int64_t c = thread_index(); c < dim; c += block_threads()) {
    T total = 0;
#pragma unroll 4
    for (int64_t i = begin; i < end; ++i) {
      const int64_t entry = uint32_t(sorted[i]);
      total += grad_scores[entry] * query[(entry / shape.k * 2 + half) * dim + c];
    }
    grad_sub_keys[row * dim + c] = total;
  }
}

}  // namespace

template <class T>
void list_halves(const TopKShape& shape, const T* query, const T* sub_keys, const HalfLists<T>& lists, int64_t tokens,
                 Stream stream) {
  const int64_t tiles = divide_up(tokens, kListWarps * kTokensPerWarp<T>);
  launch(list_from_products<T>, tiles * 2 * shape.heads, kListThreads, stream, shape.heads, shape.num_sub_keys,
         shape.half_dim, query, sub_keys, lists, tokens);
}

template <class T>
void list_given_halves(const TopKShape& shape, const T* half_scores, const HalfLists<T>& lists, int64_t tokens,
                       Stream stream) {
  const int64_t rows = tokens * shape.heads * 2;
  if (lists.length <= kMostListed) {
    launch(list_from_scores<T>, divide_up(rows, kListWarps), kListThreads, stream, shape.num_sub_keys, half_scores,
           lists, rows);
  } else {
    launch(rank_scores<T>, rows, kListThreads, stream, shape.num_sub_keys, half_scores, lists);
  }
}

template <class T>
void score_halves(const TopKShape& shape, const T* query, const T* sub_keys, T* half_scores, int64_t tokens,
                  Stream stream) {
  const int64_t count = tokens * shape.heads * 2 * shape.num_sub_keys;
  launch(score_all<T>, divide_up(count, kListThreads), kListThreads, stream, shape.heads, shape.num_sub_keys,
         shape.half_dim, query, sub_keys, half_scores, count);
}

template <class T>
void select_pairs(const TopKShape& shape, const HalfLists<T>& lists, const HalfScoreSource<T>& source, T* pair_scores,
                  int64_t* pair_slots, T* scores, int64_t* slots, int64_t tokens, Stream stream) {
  const int64_t rows = tokens * shape.heads, blocks = divide_up(rows, kPairWarps);
  if (pair_scores) {
    launch(pairs_in_scratch<T>, blocks, kPairWarps * kWarp, stream, shape, lists, source, pair_scores, pair_slots,
           shape.staircase_pairs(), scores, slots, rows);
  } else {
    launch(pairs_in_shared<T>, blocks, kPairWarps * kWarp, stream, shape, lists, source, scores, slots, rows);
  }
}

template <class T>
void query_gradient(const TopKShape& shape, const T* grad_scores, const int64_t* slots, const T* sub_keys,
                    T* grad_query, int64_t tokens, Stream stream) {
  launch(query_gradient_rows<T>, tokens * shape.heads, kGradientThreads, stream, shape, grad_scores, slots, sub_keys,
         grad_query);
}

void number_sub_keys(const TopKShape& shape, const int64_t* slots, uint64_t* keys, int64_t tokens, Stream stream) {
  const int64_t entries = tokens * shape.heads * shape.k;
  launch(number_keys, divide_up(entries, kListThreads), kListThreads, stream, shape, slots, keys, entries);
}

template <class T>
void sub_key_gradient(const TopKShape& shape, const uint64_t* sorted, int64_t count, const T* grad_scores,
                      const T* query, T* grad_sub_keys, Stream stream) {
  launch(sub_key_gradient_rows<T>, shape.heads * 2 * shape.num_sub_keys, kGradientThreads, stream, shape, sorted, count,
         grad_scores, query, grad_sub_keys);
}

#define MEMLAYERS_TOPK(T)                                                                                        \
  template void list_halves(const TopKShape&, const T*, const T*, const HalfLists<T>&, int64_t, Stream);         \
  template void list_given_halves(const TopKShape&, const T*, const HalfLists<T>&, int64_t, Stream);             \
  template void score_halves(const TopKShape&, const T*, const T*, T*, int64_t, Stream);                         \
  template void select_pairs(const TopKShape&, const HalfLists<T>&, const HalfScoreSource<T>&, T*, int64_t*, T*, \
                             int64_t*, int64_t, Stream);                                                         \
  template void query_gradient(const TopKShape&, const T*, const int64_t*, const T*, T*, int64_t, Stream);       \
  template void sub_key_gradient(const TopKShape&, const uint64_t*, int64_t, const T*, const T*, T*, Stream)
MEMLAYERS_TOPK(float);
MEMLAYERS_TOPK(double);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
