// Rounding to int8, and the words that the tile reads: tokens as rows of words, weights as panels
// [K words][16]. Without VNNI a word is two int16, with it four bytes.
#pragma once

#include "lathe/engine/kernels/cpu/int8_tile.h"
#include "lathe/engine/kernels/cpu/lanes.h"
#include "lathe/engine/kernels/cpu/matmul_rows.h"
#include "lathe/engine/kernels/quant_activation.h"

namespace lathe::kernels::LATHE_ISA {

/// Sixteen q of a row, side by side.
inline void store_q(char* p, I32x16 q) {
  if constexpr (kInt8PerWord == 4) return store_bytes(p, q);
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(q.v));
#else
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm256_permute4x64_epi64(_mm256_packs_epi32(q.lo, q.hi), 0xD8));
#endif
}

inline I32x16 magnitude(F32x16 x) { return bits_of(x) & splat_i32(0x7FFFFFFF); }

/// A row of k elements as q, filled with zeros up to a multiple of 16. Returns its scale; `sum`
/// becomes the sum of its q.
inline float quantise_row(const Row& x, std::int64_t k, char* to, std::int32_t& sum) {
  I32x16 largest = splat_i32(0);
  each16(k, [&](std::int64_t i, auto n) { largest = max_i32(largest, magnitude(x.at(i, n))); });
  const ActivationScale s = activation_scale(static_cast<std::uint32_t>(max_lane_i32(largest)));
  I32x16 sums = splat_i32(0);
  const F32x16 factor = splat(s.factor);
  each16(k, [&](std::int64_t i, auto n) {
    const I32x16 q = s.factor == 0 ? splat_i32(0) : to_int(x.at(i, n) * factor);
    store_q(to + i * (4 / kInt8PerWord), q);
    sums = sums + q;
  });
  sum = add_lanes_i32(sums);
  return s.scale;
}

/// Words of weights as the tile wants them.
inline I32x16 as_weights(I32x16 word) {
  if constexpr (kInt8PerWord == 4) return word ^ splat_i32(static_cast<std::int32_t>(0x80808080u));
  return word;
}

/// A panel of sixteen weights whose k are adjacent: rows [0, count) of w from row `first` on.
/// `rows` holds sixteen quantised rows `row` bytes apart, a multiple of 16.
inline void pack_rows(const View& w, std::int64_t first, int count, char* rows, std::ptrdiff_t row,
                      char* panel, float* scale) {
  const std::int64_t k = w.dims[1], words = (k + kInt8PerWord - 1) / kInt8PerWord;
  for (int i = 0; i < 16; ++i) {
    std::int32_t sum;
    scale[i] = 0;
    if (i < count) {
      scale[i] = quantise_row(Row(w, first + i), k, rows + i * row, sum);
    } else {
      std::fill_n(rows + i * row, row, '\0');
    }
  }
  for (std::int64_t u = 0; u < words; u += kBlockWords) {
    const Block block = gather(rows + 4 * u, row);
    const auto left = static_cast<int>(std::min<std::int64_t>(kBlockWords, words - u));
    for (int i = 0; i < left; ++i)
      store_i32(panel + (u + i) * 64, as_weights(bits_of(block.word[i])));
  }
}

/// Scales of sixteen columns, lane by lane.
struct ColumnScales {
  F32x16 factor;
  I32x16 mask;  // 0 where the factor is 0: x may be NaN there
};

inline ColumnScales column_scales(I32x16 largest, float* scale) {
  alignas(64) std::uint32_t bits[16];
  alignas(64) float factor[16];
  alignas(64) std::int32_t mask[16];
  store_i32(bits, largest);
  for (int i = 0; i < 16; ++i) {
    const ActivationScale s = activation_scale(bits[i]);
    scale[i] = s.scale;
    factor[i] = s.factor;
    mask[i] = s.factor == 0 ? 0 : -1;
  }
  return {load(factor), load_i32(mask)};
}

constexpr int kStripColumns = 64;  // four panels: whole lines of memory are read twice, not more

/// Panels of weights whose outputs are adjacent: columns [first, first + count) of t, which is w
/// turned: [K,N] with unit stride in n. count <= kStripColumns.
inline void pack_columns(const View& t, std::int64_t first, int count, char* panels, float* scale) {
  const std::int64_t k = t.dims[0], words = (k + kInt8PerWord - 1) / kInt8PerWord;
  I32x16 largest[kStripColumns / 16] = {splat_i32(0), splat_i32(0), splat_i32(0), splat_i32(0)};
  for (std::int64_t i = 0; i < k; ++i) {
    const Row row(t, i);
    each16(count, [&](std::int64_t j, auto n) {
      largest[j / 16] = max_i32(largest[j / 16], magnitude(row.at(first + j, n)));
    });
  }
  ColumnScales scales[kStripColumns / 16];
  for (int j = 0; j < count; j += 16) scales[j / 16] = column_scales(largest[j / 16], scale + j);
  constexpr int kBits = 32 / kInt8PerWord;
  for (std::int64_t u = 0; u < words; ++u) {
    const auto in_word =
        static_cast<int>(std::min<std::int64_t>(kInt8PerWord, k - u * kInt8PerWord));
    each16(count, [&](std::int64_t j, auto n) {
      const ColumnScales& s = scales[j / 16];
      I32x16 word = splat_i32(0);
      for (int i = 0; i < in_word; ++i) {
        const I32x16 q = to_int(Row(t, u * kInt8PerWord + i).at(first + j, n) * s.factor) & s.mask;
        word = word | ((q & splat_i32((1 << kBits) - 1)) << (kBits * i));
      }
      store_i32(panels + (j / 16 * words + u) * 64, as_weights(word));
    });
  }
}

}  // namespace lathe::kernels::LATHE_ISA
