// How rows of q, k, v and dout become the words that the tiles of attention read, and results rows.
#pragma once

#include "lathe/engine/kernels/attention_shape.h"
#include "lathe/engine/kernels/cpu/attention_tiles.h"
#include "lathe/engine/kernels/cpu/vec.h"

namespace lathe::kernels::LATHE_ISA::attention_parts {

using namespace attention_detail;

/// D elements widened into 16 * ceil(D / 16) floats, zeros behind.
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

/// A row of D elements as words: widened floats, or the bf16 pairs as they lie, zeros behind.
template <typename Words>
LATHE_INLINE void copy_words(const View& v, Index from, float* to) {
  if constexpr (Words::kUnits == 1) {
    copy_row(v, from, to);
  } else {
    const bf16_t* source = v.as<bf16_t>() + from;
    auto* halves = reinterpret_cast<bf16_t*>(to);
    const Index size = v.dims[3], padded = round_up(size, 16);
    Index d = 0;
    for (; d + 16 <= size; d += 16) __builtin_memcpy(halves + d, source + d, 32);
    for (; d < size; ++d) halves[d] = source[d];
    for (; d < padded; ++d) halves[d] = {0};
  }
}

/// 8 x 8 words from rows `from` (stride ld) to rows `to` (stride kAttentionBlock), transposed.
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

/// Rows of words, in place or copied.
struct Rows {
  const float* data;
  Index ld;
};

/// Asks for rows [t, t + kAttentionBlock) of batch row b and head h, which the next block will
/// need: they lie far apart in a fused projection, where the hardware does not foresee them.
LATHE_INLINE void prefetch_block(const View& v, Index b, Index t, Index h) {
  const Index bytes = static_cast<Index>(size_of(v.dtype));
  const Index end = smaller(v.dims[1], t + kAttentionBlock);
  for (; t < end; ++t)
    for (Index d = 0; d < v.dims[3]; d += 64 / bytes)
      __builtin_prefetch(v.as<char>() + (at(v, b, t, h) + d) * bytes, 0, 2);
}

/// Rows [t, t + kAttentionBlock) as a chain fetches them.
LATHE_INLINE RowsAhead rows_ahead(const View& v, Index b, Index t, Index h) {
  const Index bytes = static_cast<Index>(size_of(v.dtype));
  const Index count = smaller(kAttentionBlock, v.dims[1] - t);
  if (count <= 0) return {};
  return {v.as<char>() + at(v, b, t, h) * bytes, v.strides[1] * bytes, v.dims[3] * bytes, count};
}

/// `count` rows of a [B,T,heads,D] view from element `first` on, as words of the padded width; rows
/// up to the next multiple of 8 are zero. In place where that is possible and wanted.
template <typename Words>
inline Rows gather_rows(const View& v, Index first, Index count, float* copy, bool in_place) {
  const Index padded = round_up(v.dims[3], 16), words = padded / Words::kUnits;
  const Index step = v.strides[1];
  const bool fits = padded == v.dims[3] && count % 8 == 0 && step % Words::kUnits == 0 &&
                    (Words::kUnits == 2 || v.dtype == DType::f32);
  if (in_place && fits) {
    if constexpr (Words::kUnits == 1) return {v.as<float>() + first, step};
    return {reinterpret_cast<const float*>(v.as<bf16_t>() + first), step / 2};
  }
  for (Index i = 0; i < count; ++i) copy_words<Words>(v, first + i * step, copy + i * words);
  for (Index i = count * words; i < round_up(count, 8) * words; ++i) copy[i] = 0.0f;
  return {copy, words};
}

/// to[word][row] from rows[row][word] for `count` rows (rounded up to 8) and `words` words.
inline void transpose_rows(const Rows& rows, Index count, Index words, float* to) {
  for (Index r = 0; r < count; r += 8)
    for (Index w = 0; w < words; w += 8)
      transpose8(rows.data + r * rows.ld + w, rows.ld, to + w * kAttentionBlock + r);
}

/// Sixteen words (even[i], odd[i]) from two rows of bf16; a null row is zeros.
LATHE_INLINE F32x16 join(const bf16_t* even, const bf16_t* odd) {
  const F32x16 low = even == nullptr ? zero() : widen(even);
  const F32x16 high = odd == nullptr ? zero() : widen(odd);
#if defined(__AVX512F__)
  const __m512i down = _mm512_srli_epi32(_mm512_castps_si512(low.v), 16);
  return {_mm512_castsi512_ps(_mm512_or_si512(down, _mm512_castps_si512(high.v)))};
#else
  const auto half = [](__m256 a, __m256 b) {
    return _mm256_or_ps(_mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(a), 16)), b);
  };
  return {half(low.lo, high.lo), half(low.hi, high.hi)};
#endif
}

/// Rows of bf16 joined two by two: to[t][x] = (row 2t - lead, row 2t + 1 - lead)[x], `width` words
/// each; a row outside [0, count) is zeros.
inline void join_rows(const Rows& rows, Range part, Index width, float* to) {
  const Index lead = part.begin, count = part.end;
  const auto row = [&](Index r) {
    return r < 0 || r >= count ? nullptr : reinterpret_cast<const bf16_t*>(rows.data + r * rows.ld);
  };
  for (Index t = 0; 2 * t - lead < count; ++t) {
    const bf16_t *even = row(2 * t - lead), *odd = row(2 * t + 1 - lead);
    for (Index x = 0; x < width; x += 16)
      store(to + t * width + x,
            join(even == nullptr ? nullptr : even + x, odd == nullptr ? nullptr : odd + x));
  }
}

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
