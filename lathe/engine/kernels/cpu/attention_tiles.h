// Register tiles of attention: many chains of fused multiply-adds side by side, each in the order
// that kernels/attention.h states; and the packing that feeds them.
#pragma once

#include "lathe/engine/kernels/attention_shape.h"
#include "lathe/engine/kernels/cpu/vec.h"

namespace lathe::kernels::LATHE_ISA::attention_parts {

using namespace attention_detail;

#if defined(__AVX512F__)
constexpr int kTileVectors = 4;  // 6 x 4 sums, 4 of b, 1 broadcast: 29 of 32 registers
#else
constexpr int kTileVectors = 1;  // 6 x 2 sums, 2 of b, 1 broadcast: 15 of 16 registers
#endif
constexpr int kTileRows = 6;

/// c[r][x] = chain over t ascending of fma(left(r, t), b[t][x], .), from 0 (fresh) or going on from
/// the stored c. left(r, t) is a[r * lda + t], or a[t * lda + r] when transposed.
struct Chains {
  const float* a;
  Index lda;
  const float* b;
  Index ldb;
  Index steps;
  float* c;
  Index ldc;
  bool fresh;
};

template <bool kTransposed, int R, int V>
LATHE_INLINE void chain_tile(const Chains& x, Index row, Index column) {
  F32x16 sum[R][V];
  float* c = x.c + row * x.ldc + column;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[r][v] = x.fresh ? zero() : load(c + r * x.ldc + 16 * v);
  const float* a = x.a + (kTransposed ? row : row * x.lda);
  const float* b = x.b + column;
  for (Index t = 0; t < x.steps; ++t) {
    F32x16 right[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) right[v] = load(b + 16 * v);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const F32x16 left = splat(kTransposed ? a[r] : a[r * x.lda]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[r][v] = fma(left, right[v], sum[r][v]);
    }
    a += kTransposed ? x.lda : 1;
    b += x.ldb;
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(c + r * x.ldc + 16 * v, sum[r][v]);
}

template <bool kTransposed, int R>
void chain_rows(const Chains& x, Index row, int vectors) {
  int v = 0;
  for (; v + kTileVectors <= vectors; v += kTileVectors)
    chain_tile<kTransposed, R, kTileVectors>(x, row, 16 * v);
  if constexpr (kTileVectors == 4) {
    switch (vectors - v) {
      case 3:
        return chain_tile<kTransposed, R, 3>(x, row, 16 * v);
      case 2:
        return chain_tile<kTransposed, R, 2>(x, row, 16 * v);
      case 1:
        return chain_tile<kTransposed, R, 1>(x, row, 16 * v);
      default:
        return;
    }
  }
}

/// All chains of `rows` rows and 16 * `vectors` columns.
template <bool kTransposed>
void chain(const Chains& x, Index rows, int vectors) {
  if (x.steps <= 0 && !x.fresh) return;
  Index r = 0;
  for (; r + kTileRows <= rows; r += kTileRows) chain_rows<kTransposed, kTileRows>(x, r, vectors);
  switch (rows - r) {
    case 5:
      return chain_rows<kTransposed, 5>(x, r, vectors);
    case 4:
      return chain_rows<kTransposed, 4>(x, r, vectors);
    case 3:
      return chain_rows<kTransposed, 3>(x, r, vectors);
    case 2:
      return chain_rows<kTransposed, 2>(x, r, vectors);
    case 1:
      return chain_rows<kTransposed, 1>(x, r, vectors);
    default:
      return;
  }
}

/// One row of D elements widened into 16 * ceil(D / 16) floats, zeros behind.
LATHE_INLINE void copy_row(const View& v, Index from, float* to) {
  const Index size = v.dims[3];
  Index d = 0;
  for (; d + 16 <= size; d += 16)
    store(to + d, v.dtype == DType::bf16 ? load(v.as<bf16_t>() + from + d)
                                         : load(v.as<float>() + from + d));
  if (d == size) return;
  const int rest = static_cast<int>(size - d);
  store(to + d, v.dtype == DType::bf16 ? load_first(v.as<bf16_t>() + from + d, rest)
                                       : load_first(v.as<float>() + from + d, rest));
}

/// The reverse: D floats rounded to the view's type.
LATHE_INLINE void write_row(const View& v, Index to, const float* from) {
  const Index size = v.dims[3];
  const bool half = v.dtype == DType::bf16;
  Index d = 0;
  for (; d + 16 <= size; d += 16)
    half ? store(v.as<bf16_t>() + to + d, load(from + d))
         : store(v.as<float>() + to + d, load(from + d));
  if (d == size) return;
  const int rest = static_cast<int>(size - d);
  half ? store_first(v.as<bf16_t>() + to + d, load(from + d), rest)
       : store_first(v.as<float>() + to + d, load(from + d), rest);
}

/// 8 x 8 floats from rows `from` (stride ld) to rows `to` (stride kAttentionBlock), transposed.
LATHE_INLINE void transpose8(const float* from, Index ld, float* to) {
  __m256 r[8], s[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(from + i * ld);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xEE);
    r[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(to + i * kAttentionBlock, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * kAttentionBlock, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}

/// Rows of one head, ready to be read as f32: either in place or copied.
struct Rows {
  const float* data;
  Index ld;
};

/// `count` rows of a [B,T,heads,D] view from row t, as f32 of padded width; rows up to the next
/// multiple of 8 are zero. In place where that is possible and wanted.
inline Rows gather_rows(const View& v, Index first, Index count, float* copy, bool in_place) {
  const Index padded = round_up(v.dims[3], 16), step = v.strides[1];
  if (in_place && v.dtype == DType::f32 && padded == v.dims[3] && count % 8 == 0)
    return {v.as<float>() + first, step};
  for (Index i = 0; i < count; ++i) copy_row(v, first + i * step, copy + i * padded);
  for (Index i = count * padded; i < round_up(count, 8) * padded; i += 16) store(copy + i, zero());
  return {copy, padded};
}

/// to[d][key] from rows[key][d] for `count` keys (rounded up to 8) and d below padded.
inline void transpose_rows(const Rows& rows, Index count, Index padded, float* to) {
  for (Index key = 0; key < count; key += 8)
    for (Index d = 0; d < padded; d += 8)
      transpose8(rows.data + key * rows.ld + d, rows.ld, to + d * kAttentionBlock + key);
}

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
