// Register tiles of attention: many chains side by side, each in the order that kernels/attention.h
// states, over words of one f32 or of two bf16.
#pragma once

#include <type_traits>

#include "lathe/engine/kernels/attention_shape.h"
#include "lathe/engine/kernels/cpu/six_rows.h"

namespace lathe::kernels::LATHE_ISA::attention_parts {

using namespace attention_detail;

#if defined(__AVX512F__)
constexpr int kTileVectors = 4;  // 6 x 4 sums, 4 of b, 1 broadcast: 29 of 32 registers
#else
constexpr int kTileVectors = 1;  // 6 x 2 sums, 2 of b, 1 broadcast: 15 of 16 registers
#endif
constexpr int kTileRows = 6;

/// Words of one f32: a step is a fused multiply-add. (Words of two bf16: attention_pairs.h.)
struct F32Words {
  static constexpr Index kUnits = 1;  // elements of the summed dimension in a word
  static LATHE_INLINE F32x16 mul_add(F32x16 a, F32x16 b, F32x16 sum) {
    return add_product(a, b, sum);
  }
  /// Elements [16 v, 16 v + 16) of a row of units.
  static LATHE_INLINE void put(float* row, int v, F32x16 x) { store(row + 16 * v, x); }
};

/// Rows that the next block will need. Where few queries share a block, all of it at once would
/// stand in the way of the current one; row by row between the multiplications it costs nothing.
struct RowsAhead {
  const char* data = nullptr;
  Index stride = 0, bytes = 0, count = 0;

  LATHE_INLINE void fetch(Index row) const {
    if (row >= count) return;
    for (Index at = 0; at < bytes; at += 64) __builtin_prefetch(data + row * stride + at, 0, 2);
  }
};

/// c[r][x] = chain over words t ascending of mul_add(left(r, t), b[t][x], .), from 0 (fresh) or
/// going on from the stored c. left(r, t) is a[r * lda + t], or a[t * lda + r] when transposed.
/// Columns [16 v, 16 v + 16) of b begin at b + v * panel.
struct Chains {
  const float* a;
  Index lda;
  const float* b;
  Index ldb;
  Index panel = 16;
  Index steps;
  float* c;
  Index ldc;
  bool fresh;
  RowsAhead ahead = {};  // a row is fetched at each step
};

template <typename Words, bool kTransposed, int R, int V>
LATHE_INLINE void chain_tile(const Chains& x, Index row, Index column) {
  F32x16 sum[R][V];
  float* c = x.c + row * x.ldc + column;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[r][v] = x.fresh ? zero() : load(c + r * x.ldc + 16 * v);
  const float* a = x.a + (kTransposed ? row : row * x.lda);
  const float* b = x.b + column / 16 * x.panel;
  Index t = 0;
#if !defined(__AVX512F__)
  if constexpr (std::is_same_v<Words, F32Words> && R == kTileRows && V == 1) {
    if (x.ahead.count == 0) {  // in assembly
      SixRows o{a, a + 3 * x.lda, x.lda * 4, b, x.ldb * 4, x.steps / 8, x.steps % 8, {}, {}};
      take_steps<kTransposed ? Left::lanes : Left::rows, false>(o, sum);
      t = x.steps;
    }
  }
#endif
  for (; t < x.steps; ++t) {
    F32x16 right[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) right[v] = load(b + v * x.panel);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const F32x16 left = splat(kTransposed ? a[r] : a[r * x.lda]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[r][v] = Words::mul_add(left, right[v], sum[r][v]);
    }
    x.ahead.fetch(t);
    a += kTransposed ? x.lda : 1;
    b += x.ldb;
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(c + r * x.ldc + 16 * v, sum[r][v]);
}

template <typename Words, bool kTransposed, int R>
void chain_rows(const Chains& x, Index row, int vectors) {
  int v = 0;
  for (; v + kTileVectors <= vectors; v += kTileVectors)
    chain_tile<Words, kTransposed, R, kTileVectors>(x, row, 16 * v);
  if constexpr (kTileVectors == 4) {
    switch (vectors - v) {
      case 3:
        return chain_tile<Words, kTransposed, R, 3>(x, row, 16 * v);
      case 2:
        return chain_tile<Words, kTransposed, R, 2>(x, row, 16 * v);
      case 1:
        return chain_tile<Words, kTransposed, R, 1>(x, row, 16 * v);
      default:
        return;
    }
  }
}

/// All chains of `rows` rows and 16 * `vectors` columns.
template <typename Words, bool kTransposed>
void chain(const Chains& x, Index rows, int vectors) {
  if (x.steps <= 0 && !x.fresh) return;
  Index r = 0;
  for (; r + kTileRows <= rows; r += kTileRows)
    chain_rows<Words, kTransposed, kTileRows>(x, r, vectors);
  switch (rows - r) {
    case 5:
      return chain_rows<Words, kTransposed, 5>(x, r, vectors);
    case 4:
      return chain_rows<Words, kTransposed, 4>(x, r, vectors);
    case 3:
      return chain_rows<Words, kTransposed, 3>(x, r, vectors);
    case 2:
      return chain_rows<Words, kTransposed, 2>(x, r, vectors);
    case 1:
      return chain_rows<Words, kTransposed, 1>(x, r, vectors);
    default:
      return;
  }
}

/// Word t alone, with the units of b outside the range set to zero. What is masked must not even be
/// multiplied by zero: it may be infinite.
template <typename Words, bool kTransposed>
void chain_half(Chains x, Index rows, int vectors, Range units) {
  alignas(64) float masked[kMaxHeadSize];
  const Index t = units.begin / 2;
  const std::uint32_t mask = units.begin % 2 == 0 ? 0xFFFFu : 0xFFFF0000u;
  const float* b = x.b + t * x.ldb;
  for (Index d = 0; d < 16 * vectors; ++d) {
    const float word = b[d / 16 * x.panel + d % 16];
    masked[d] = __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, word) & mask);
  }
  x.a += t * (kTransposed ? x.lda : 1);
  x.b = masked;
  x.panel = 16;
  x.steps = 1;
  chain<Words, kTransposed>(x, rows, vectors);
}

/// The chains over units [begin, end) only; x.a and x.b point at word 0, x.steps is not read. In
/// words of two, an odd end is a word of its own with zero for the unit outside; nothing is added
/// for a word that lies outside.
template <typename Words, bool kTransposed>
void chain_range(Chains x, Index rows, int vectors, Range units) {
  if constexpr (Words::kUnits == 2) {
    if (units.begin % 2 != 0 && units.begin < units.end) {
      chain_half<Words, kTransposed>(x, rows, vectors, {units.begin, units.begin + 1});
      x.fresh = false;
      ++units.begin;
    }
  }
  const Index first = units.begin / Words::kUnits;
  Chains whole = x;
  whole.a += first * (kTransposed ? x.lda : 1);
  whole.b += first * x.ldb;
  whole.steps = units.end / Words::kUnits - first;
  chain<Words, kTransposed>(whole, rows, vectors);
  if constexpr (Words::kUnits == 2) {
    x.fresh = false;
    if (units.end % 2 != 0 && units.begin < units.end)
      chain_half<Words, kTransposed>(x, rows, vectors, {units.end - 1, units.end});
  }
}

/// Rows that sum over ranges of their own: `count` rows of x, units[r] for row r. What all of them
/// share runs as a tile; the ends before and behind it row by row, so each chain still ascends.
template <typename Words, bool kTransposed>
void chain_ragged(const Chains& x, Index count, int vectors, const Range* units) {
  Range common = units[0];
  bool same = true;
  for (Index r = 1; r < count; ++r) {
    same = same && units[r].begin == units[0].begin && units[r].end == units[0].end;
    common = {larger(common.begin, units[r].begin), smaller(common.end, units[r].end)};
  }
  if (same) return chain_range<Words, kTransposed>(x, count, vectors, common);
  common = {round_up(common.begin, Words::kUnits), common.end / Words::kUnits * Words::kUnits};
  const auto alone = [&](Index r, Range part, bool fresh) {
    Chains row = x;
    row.a += kTransposed ? r : r * x.lda;
    row.c += r * x.ldc;
    row.fresh = fresh;
    chain_range<Words, kTransposed>(row, 1, vectors, {part.begin, larger(part.begin, part.end)});
  };
  if (common.begin >= common.end) {
    for (Index r = 0; r < count; ++r) alone(r, units[r], x.fresh);
    return;
  }
  for (Index r = 0; r < count; ++r) alone(r, {units[r].begin, common.begin}, x.fresh);
  Chains tile = x;
  tile.fresh = false;
  chain_range<Words, kTransposed>(tile, count, vectors, common);
  for (Index r = 0; r < count; ++r) alone(r, {common.end, units[r].end}, false);
}

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
