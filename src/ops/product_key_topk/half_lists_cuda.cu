// The first kernel of selection: the best sub-keys of each half, sorted.
//
// A block scores 32 tokens (16 in double) against one half of one head, 128 sub-keys at a time. The thread that
// computes a score hands it to its warp, which keeps for each of its tokens those above the best so far: a ballot a
// score, and now and then the list is ranked by counting and cut.
#include "ops/cuda/device.h"
#include "ops/product_key_topk/product_key_topk_cuda.h"
#include "ops/product_key_topk/score_order_cuda.h"

namespace memlayers::ops::MEMLAYERS_DEVICE {
namespace {

constexpr int kListWarps = 8;
constexpr int kListThreads = kListWarps * kWarp;
constexpr int kKeysPerThread = 4;
constexpr int kKeysPerTile = kWarp * kKeysPerThread;
constexpr int kDimsPerTile = 16;
constexpr int kKeyStride = kKeysPerTile + 1;  // so that threads that write a column of it meet no bank twice
constexpr int kCapacity = 128;                // of a list before it is cut
static_assert(kMostListed + kWarp <= kCapacity);

template <class T>
constexpr int kTokensPerWarp = 16 / int(sizeof(T));

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

/// One thread a score.
template <class T>
__global__ void score_all(int64_t heads, int64_t n, int64_t dim, const T* __restrict__ query,
                          const T* __restrict__ sub_keys, T* __restrict__ half_scores, int64_t count) {
  const int64_t i = block_index() * block_threads() + thread_index();
  if (i >= count) return;
  const int64_t row = i / n, half = row % (2 * heads);
  half_scores[i] = dot(query + row * dim, sub_keys + (half * n + i % n) * dim, dim);
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

#define MEMLAYERS_HALF_LISTS(T)                                                                          \
  template void list_halves(const TopKShape&, const T*, const T*, const HalfLists<T>&, int64_t, Stream); \
  template void list_given_halves(const TopKShape&, const T*, const HalfLists<T>&, int64_t, Stream);     \
  template void score_halves(const TopKShape&, const T*, const T*, T*, int64_t, Stream)
MEMLAYERS_HALF_LISTS(float);
MEMLAYERS_HALF_LISTS(double);

}  // namespace memlayers::ops::MEMLAYERS_DEVICE
