// The CUDA kernels of product_key_topk over plain pointers on a device. Selection gives the bits of the CPU kernels
// with fused multiply-adds (AVX2, AVX-512); gradients give the CPU's on every instruction set.
#pragma once

#include <cstdint>

#include "ops/cuda/stream.h"
#include "ops/product_key_topk/product_key_topk_kernel.h"

namespace memlayers::ops {

/// Lists up to this length are kept beside the scores; longer ones are ranked from all scores, which takes n * n steps.
inline constexpr int64_t kMostListed = 96;
/// Pairs of a staircase that fit into a warp's shared memory; more need scratch.
inline constexpr int64_t kMostPairsShared = 512;

/// The best sub-keys of each half, sorted.
template <class T>
struct HalfLists {
  int64_t length = 0;           // TopKShape::half_candidates
  T* scores = nullptr;          // [N, H, 2, length]
  int32_t* sub_keys = nullptr;  // [N, H, 2, length]
};

/// Where a half's scores come from when all are asked for: given ones [N, H, 2, n], or (null) query and sub-keys.
template <class T>
struct HalfScoreSource {
  const T* given = nullptr;
  const T* query = nullptr;     // [N, H, 2, K/2]
  const T* sub_keys = nullptr;  // [H, 2, n, K/2]
};

namespace MEMLAYERS_DEVICE {

/// Lists from query and sub-keys; scores exist tile by tile in registers. lists.length <= kMostListed.
template <class T>
void list_halves(const TopKShape& shape, const T* query, const T* sub_keys, const HalfLists<T>& lists, int64_t tokens,
                 Stream stream);
/// Lists of any length from half scores [N, H, 2, n] that are there.
template <class T>
void list_given_halves(const TopKShape& shape, const T* half_scores, const HalfLists<T>& lists, int64_t tokens,
                       Stream stream);
/// half_scores [N, H, 2, n]. For lists that are too long for list_halves.
template <class T>
void score_halves(const TopKShape& shape, const T* query, const T* sub_keys, T* half_scores, int64_t tokens,
                  Stream stream);

/// scores and slots [N, H, k] from the lists; `source` is looked at where a tie goes on beyond them. pair_scores and
/// pair_slots [N, H, staircase_pairs] are needed for more than kMostPairsShared pairs, else null.
template <class T>
void select_pairs(const TopKShape& shape, const HalfLists<T>& lists, const HalfScoreSource<T>& source, T* pair_scores,
                  int64_t* pair_slots, T* scores, int64_t* slots, int64_t tokens, Stream stream);

/// grad_query [N, H, 2, K/2].
template <class T>
void query_gradient(const TopKShape& shape, const T* grad_scores, const int64_t* slots, const T* sub_keys,
                    T* grad_query, int64_t tokens, Stream stream);
/// keys [2 * N * H * k]: row of [H, 2, n] << 32 | entry (token, head, place), for each half in turn: what sorting turns
/// into the sub-keys' gradient.
void number_sub_keys(const TopKShape& shape, const int64_t* slots, uint64_t* keys, int64_t tokens, Stream stream);
/// grad_sub_keys [H, 2, n, K/2], all of it, from the sorted keys; a sub-key's contributions by token, then place.
template <class T>
void sub_key_gradient(const TopKShape& shape, const uint64_t* sorted, int64_t count, const T* grad_scores,
                      const T* query, T* grad_sub_keys, Stream stream);

}  // namespace MEMLAYERS_DEVICE
}  // namespace memlayers::ops
