// Rounding to int8, and the words of four k that the tile reads: tokens as rows of words, weights
// as panels [K/4][16].
#pragma once

#include "lathe/engine/kernels/cpu/int8_tile.h"
#include "lathe/engine/kernels/cpu/lanes.h"
#include "lathe/engine/kernels/cpu/matmul_rows.h"
#include "lathe/engine/kernels/linear_int8.h"

namespace lathe::kernels::LATHE_ISA {

inline I32x16 magnitude(F32x16 x) { return bits_of(x) & splat_i32(0x7FFFFFFF); }

/// A row of k elements as bytes q + offset, q in [-most, most], filled up to a multiple of 16 as if
/// with zeros. Returns its scale; `sum` becomes the sum of its q.
template <int kMost, int kOffset>
inline float quantise_row(const Row& x, std::int64_t k, char* to, std::int32_t& sum) {
  I32x16 largest = splat_i32(0);
  each16(k, [&](std::int64_t i, auto n) { largest = max_i32(largest, magnitude(x.at(i, n))); });
  const RowScale s = row_scale(static_cast<std::uint32_t>(max_lane_i32(largest)), kMost);
  I32x16 sums = splat_i32(0);
  const F32x16 factor = splat(s.factor);
  const __m128i flip = _mm_set1_epi8(static_cast<char>(kOffset));  // adds 128 to a signed byte
  static_assert(kOffset == 0 || kOffset == 128);
  each16(k, [&](std::int64_t i, auto n) {
    const I32x16 q = s.factor == 0 ? splat_i32(0) : to_int(x.at(i, n) * factor);
    store_bytes(to + i, q);
    auto* bytes = reinterpret_cast<__m128i*>(to + i);
    if (kOffset != 0) _mm_storeu_si128(bytes, _mm_xor_si128(_mm_loadu_si128(bytes), flip));
    sums = sums + q;
  });
  sum = add_lanes_i32(sums);
  return s.scale;
}

/// Where the parts of sixteen packed weights go.
struct PanelOut {
  char* words;
  float* scale;
  std::int32_t* start;
};

/// A panel of sixteen weights whose k are adjacent: rows [0, count) of w from row `first` on.
/// `rows` holds sixteen quantised rows `row` bytes apart, a multiple of 16.
inline void pack_rows(const View& w, std::int64_t first, int count, char* rows, std::ptrdiff_t row,
                      const PanelOut& out) {
  const std::int64_t k = w.dims[1], words = (k + kInt8PerWord - 1) / kInt8PerWord;
  for (int i = 0; i < 16; ++i) {
    std::int32_t sum = 0;
    out.scale[i] = 0;
    if (i < count) {
      out.scale[i] = quantise_row<kInt8Weight, 0>(Row(w, first + i), k, rows + i * row, sum);
    } else {
      std::fill_n(rows + i * row, row, '\0');
    }
    // Modulo 2^32, as the sums that begin with it are: at their end they are in range again.
    out.start[i] = static_cast<std::int32_t>(0u - 128u * static_cast<std::uint32_t>(sum));
  }
  for (std::int64_t u = 0; u < words; u += kBlockWords) {
    const Block block = gather(rows + 4 * u, row);
    const auto left = static_cast<int>(std::min<std::int64_t>(kBlockWords, words - u));
    for (int i = 0; i < left; ++i) store_i32(out.words + (u + i) * 64, bits_of(block.word[i]));
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
    const RowScale s = row_scale(bits[i], kInt8Weight);
    scale[i] = s.scale;
    factor[i] = s.factor;
    mask[i] = s.factor == 0 ? 0 : -1;
  }
  return {load(factor), load_i32(mask)};
}

constexpr int kStripColumns = 64;  // four panels: whole lines of memory are read twice, not more

/// Panels of weights whose outputs are adjacent: columns [first, first + count) of t, which is w
/// turned: [K,N] with unit stride in n. count <= kStripColumns.
inline void pack_columns(const View& t, std::int64_t first, int count, const PanelOut& out) {
  const std::int64_t k = t.dims[0], words = (k + kInt8PerWord - 1) / kInt8PerWord;
  const I32x16 none = splat_i32(0);
  I32x16 largest[kStripColumns / 16] = {none, none, none, none};
  for (std::int64_t i = 0; i < k; ++i) {
    const Row row(t, i);
    each16(count, [&](std::int64_t j, auto n) {
      largest[j / 16] = max_i32(largest[j / 16], magnitude(row.at(first + j, n)));
    });
  }
  ColumnScales scales[kStripColumns / 16];
  I32x16 sums[kStripColumns / 16] = {none, none, none, none};
  for (int j = 0; j < count; j += 16)
    scales[j / 16] = column_scales(largest[j / 16], out.scale + j);
  for (std::int64_t u = 0; u < words; ++u) {
    const auto in_word =
        static_cast<int>(std::min<std::int64_t>(kInt8PerWord, k - u * kInt8PerWord));
    each16(count, [&](std::int64_t j, auto n) {
      const ColumnScales& s = scales[j / 16];
      I32x16 word = none;
      for (int i = 0; i < in_word; ++i) {
        const F32x16 x = Row(t, u * kInt8PerWord + i).at(first + j, n);
        const I32x16 q = to_int(x * s.factor) & s.mask;
        sums[j / 16] = sums[j / 16] + q;
        word = word | ((q & splat_i32(255)) << (8 * i));
      }
      store_i32(out.words + (j / 16 * words + u) * 64, word);
    });
  }
  for (int j = 0; j < count; j += 16) store_i32(out.start + j, none - (sums[j / 16] << 7));
}

}  // namespace lathe::kernels::LATHE_ISA
