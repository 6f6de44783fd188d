// The second kernel of selection: the k best pairs of the two halves' lists (half_lists_cuda.cu).
//
// A warp ranks one head's staircase i * j <= k by counting. Ranks of a total order are distinct, so each of the k best
// writes itself to its place. Ties that go on beyond the staircase: as product_key_topk_kernel.cpp explains.
#include "ops/cuda/device.h"
#include "ops/product_key_topk/product_key_topk_cuda.h"
#include "ops/product_key_topk/score_order_cuda.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kPairWarps = 4;

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

}  // namespace

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

template void select_pairs(const TopKShape&, const HalfLists<float>&, const HalfScoreSource<float>&, float*, int64_t*,
                           float*, int64_t*, int64_t, Stream);
template void select_pairs(const TopKShape&, const HalfLists<double>&, const HalfScoreSource<double>&, double*,
                           int64_t*, double*, int64_t*, int64_t, Stream);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
