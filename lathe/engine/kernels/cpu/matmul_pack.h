// Packing for the matrix product: from operands with any strides into words (matmul_tile.h).
//
// An operand is a set of lanes (rows of a, columns of b), each a sequence over k. b is packed as
// panels [words][16]; a is read in place where it can be, else copied lane by lane, or packed as
// [words][8] where its lanes lie side by side.
#pragma once

#include <algorithm>
#include <cstring>

#include "lathe/engine/kernels/cpu/matmul_tile.h"

namespace lathe::kernels::LATHE_ISA {

/// Where the elements lie; strides in elements.
struct Operand {
  const char* data;
  std::ptrdiff_t lane, k;
  bool bf16;
  std::int64_t count_k;  // elements, for the odd pair at the end

  const char* at(std::ptrdiff_t l, std::ptrdiff_t i) const {
    return data + (l * lane + i * k) * (bf16 ? 2 : 4);
  }
};

inline std::uint32_t read_half(const char* p) {
  std::uint16_t half;
  std::memcpy(&half, p, 2);
  return half;
}

/// Word w of lane l, element by element.
template <typename Mode>
inline std::uint32_t read_word(const Operand& x, std::int64_t l, std::int64_t w) {
  if constexpr (Mode::kPairs) {
    const std::uint32_t even = read_half(x.at(l, 2 * w));
    return 2 * w + 1 < x.count_k ? even | read_half(x.at(l, 2 * w + 1)) << 16 : even;
  } else {
    if (x.bf16) return read_half(x.at(l, w)) << 16;
    std::uint32_t word;
    std::memcpy(&word, x.at(l, w), 4);
    return word;
  }
}

/// dst[w * width + lane] for w in [0, words), lane in [0, lanes); the other lanes become zero.
template <typename Mode>
inline void pack_plain(const Operand& x, std::int64_t w0, std::int64_t words, int lanes, int width,
                       Word* dst) {
  for (std::int64_t w = 0; w < words; ++w) {
    for (int l = 0; l < width; ++l) {
      const std::uint32_t word = l < lanes ? read_word<Mode>(x, l, w0 + w) : 0;
      std::memcpy(dst + w * width + l, &word, 4);
    }
  }
}

inline __m256 load_words(const char* p) {
  return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
}

/// 4x4 words transposed inside each 128-bit lane.
inline void transpose_lanes(const __m256 (&in)[4], __m256* out) {
  const __m256 a = _mm256_unpacklo_ps(in[0], in[1]), b = _mm256_unpackhi_ps(in[0], in[1]);
  const __m256 c = _mm256_unpacklo_ps(in[2], in[3]), d = _mm256_unpackhi_ps(in[2], in[3]);
  out[0] = _mm256_shuffle_ps(a, c, 0x44);
  out[1] = _mm256_shuffle_ps(a, c, 0xEE);
  out[2] = _mm256_shuffle_ps(b, d, 0x44);
  out[3] = _mm256_shuffle_ps(b, d, 0xEE);
}

/// Words 0..3 of 8 rows, `row` bytes apart, by word.
inline void transpose_8x4(const char* p, std::ptrdiff_t row, __m256* out) {
  // Rows i and i+4 side by side, so that the rest stays inside 128-bit lanes.
  const auto two = [&](int i) {
    const __m128 top = _mm_loadu_ps(reinterpret_cast<const float*>(p + i * row));
    const __m128 bottom = _mm_loadu_ps(reinterpret_cast<const float*>(p + (i + 4) * row));
    return _mm256_insertf128_ps(_mm256_castps128_ps256(top), bottom, 1);
  };
  const __m256 in[4] = {two(0), two(1), two(2), two(3)};
  transpose_lanes(in, out);
}

inline void transpose_8x8(const char* p, std::ptrdiff_t row, __m256 (&out)[8]) {
  transpose_8x4(p, row, out);
  transpose_8x4(p + 16, row, out + 4);
}

/// Both halves of bf16 pairs, widened: even k first.
inline __m256 even_of(__m256 pairs) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pairs), 16));
}
inline __m256 odd_of(__m256 pairs) {
  return _mm256_and_ps(pairs, _mm256_castsi256_ps(_mm256_set1_epi32(-0x10000)));
}

constexpr std::ptrdiff_t kAheadBytes = 512;  // fetched ahead of the blocks, along k

/// Eight lanes whose k are adjacent: blocks of eight 32-bit words, transposed. Returns the number
/// of words written (a multiple of 8 or 16); the caller packs the rest plainly.
template <typename Mode>
inline std::int64_t pack_adjacent_k(const Operand& x, std::int64_t w0, std::int64_t words,
                                    Word* dst) {
  const bool widen = !Mode::kPairs && x.bf16;
  const std::ptrdiff_t row = x.lane * (x.bf16 ? 2 : 4);
  const std::int64_t source_words = widen ? words / 2 : words;
  const char* p = x.at(0, Mode::kPairs ? 2 * w0 : w0);
  std::int64_t whole = source_words / 8 * 8;
  if (Mode::kPairs && 2 * (w0 + whole) > x.count_k) whole -= 8;  // the padded pair is in there
  for (std::int64_t w = 0; w < whole; w += 8) {
    if (w % 16 == 0)
      for (int i = 0; i < 8; ++i) _mm_prefetch(p + 4 * w + i * row + kAheadBytes, _MM_HINT_T0);
    __m256 block[8];
    transpose_8x8(p + 4 * w, row, block);
    for (int i = 0; i < 8; ++i) {
      if (widen) {
        auto* to = reinterpret_cast<float*>(dst + 2 * (w + i) * kLanes);
        _mm256_storeu_ps(to, even_of(block[i]));
        _mm256_storeu_ps(to + kLanes, odd_of(block[i]));
      } else {
        _mm256_storeu_ps(reinterpret_cast<float*>(dst + (w + i) * kLanes), block[i]);
      }
    }
  }
  return widen ? 2 * whole : whole;
}

/// Eight adjacent lanes of word w.
template <typename Mode>
inline __m256 read_eight_lanes(const Operand& x, std::int64_t w) {
  if constexpr (Mode::kPairs) {
    const auto* even = reinterpret_cast<const __m128i*>(x.at(0, 2 * w));
    const auto* odd = reinterpret_cast<const __m128i*>(x.at(0, 2 * w + 1));
    const __m128i a = _mm_loadu_si128(even);
    const __m128i b = 2 * w + 1 < x.count_k ? _mm_loadu_si128(odd) : _mm_setzero_si128();
    const __m128i low = _mm_unpacklo_epi16(a, b), high = _mm_unpackhi_epi16(a, b);
    return _mm256_castsi256_ps(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1));
  } else if (x.bf16) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x.at(0, w)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  } else {
    return load_words(x.at(0, w));
  }
}

/// The operand from lane l on.
inline Operand from_lane(Operand x, std::int64_t l) {
  x.data = x.at(l, 0);
  return x;
}

constexpr std::int64_t kPackRows = 4;   // rows of k copied together: whole lines are written
constexpr std::int64_t kPackAhead = 8;  // rows of k fetched ahead

/// Fetches lanes of the kPackRows words that come kPackAhead words after w.
template <typename Mode>
inline void prefetch_lanes(const Operand& x, std::int64_t w, std::int64_t end, std::int64_t lanes) {
  w += kPackAhead;
  const std::int64_t last = std::min(end, w + kPackRows) * (Mode::kPairs ? 2 : 1);
  for (std::int64_t k = w * (Mode::kPairs ? 2 : 1); k < std::min(last, x.count_k); ++k)
    for (std::int64_t at = 0; at < lanes * (x.bf16 ? 2 : 4); at += 64)
      _mm_prefetch(x.at(0, k) + at, _MM_HINT_T0);
}

/// Lanes that lie side by side, in groups of `group` lanes `step` lanes apart:
/// dst[group][words][width], whole eights only.
template <typename Mode>
inline void pack_groups(const Operand& x, std::int64_t w0, std::int64_t words, std::int64_t groups,
                        int step, int width, Word* dst) {
  for (std::int64_t first = 0; first < words; first += kPackRows) {
    prefetch_lanes<Mode>(x, w0 + first, w0 + words, groups * step);
    const std::int64_t end = std::min(words, first + kPackRows);
    for (std::int64_t g = 0; g < groups; ++g) {
      for (int l = 0; l < width; l += 8) {
        const Operand eight = from_lane(x, g * step + l);
        auto* to = reinterpret_cast<float*>(dst + g * words * width + l);
        for (std::int64_t w = first; w < end; ++w)
          _mm256_storeu_ps(to + w * width, read_eight_lanes<Mode>(eight, w0 + w));
      }
    }
  }
}

/// Panels of b, dst[panel][words][16], from columns [0, columns) of x; zeros beyond. For lanes that
/// lie side by side: k outermost, so that memory is read in long runs.
template <typename Mode>
inline void pack_panels_side_by_side(const Operand& x, std::int64_t w0, std::int64_t words,
                                     std::int64_t columns, Word* dst) {
  const std::int64_t whole = columns / kLanes;
  pack_groups<Mode>(x, w0, words, whole, kLanes, kLanes, dst);
  if (columns > whole * kLanes)
    pack_plain<Mode>(from_lane(x, whole * kLanes), w0, words,
                     static_cast<int>(columns - whole * kLanes), kLanes,
                     dst + whole * words * kLanes);
}

/// The same for lanes with any strides; fast where k is adjacent.
template <typename Mode>
inline void pack_panels_across(const Operand& x, std::int64_t w0, std::int64_t words,
                               std::int64_t columns, Word* dst) {
  for (std::int64_t n = 0; n < columns; n += kLanes, dst += words * kLanes) {
    const Operand lanes = from_lane(x, n);
    const int count = static_cast<int>(std::min<std::int64_t>(kLanes, columns - n));
    std::int64_t done = 0;
    if (count == kLanes && x.k == 1) {
      done = pack_adjacent_k<Mode>(lanes, w0, words, dst);
      pack_adjacent_k<Mode>(from_lane(lanes, 8), w0, words, dst + 8);
    }
    pack_plain<Mode>(lanes, w0 + done, words - done, count, kLanes, dst + done * kLanes);
  }
}

template <typename Mode>
inline void pack_panels(const Operand& x, std::int64_t w0, std::int64_t words, std::int64_t columns,
                        Word* dst) {
  if (x.lane == 1 && x.k != 1) {
    pack_panels_side_by_side<Mode>(x, w0, words, columns, dst);
  } else {
    pack_panels_across<Mode>(x, w0, words, columns, dst);
  }
}

/// Rows of a, in tiles of kTileRows, as [tile][words][8]: for lanes that lie side by side.
template <typename Mode>
inline void pack_side_by_side(const Operand& x, std::int64_t w0, std::int64_t words, int rows,
                              Word* dst) {
  const int whole = rows < kGroupLanes ? 0 : (rows - kGroupLanes) / kTileRows + 1;
  pack_groups<Mode>(x, w0, words, whole, kTileRows, kGroupLanes, dst);
  for (int r = whole * kTileRows; r < rows; r += kTileRows)
    pack_plain<Mode>(from_lane(x, r), w0, words, std::min(kTileRows, rows - r), kGroupLanes,
                     dst + r / kTileRows * words * kGroupLanes);
}

/// Rows of a, one after the other, `row` words apart.
template <typename Mode>
inline void copy_rows(const Operand& x, std::int64_t w0, std::int64_t words, int rows, Word* dst,
                      std::ptrdiff_t row) {
  if (words == 0) return;  // x may be null
  for (int r = 0; r < rows; ++r) {
    Word* to = dst + r * row;
    std::int64_t w = 0;
    if (x.k == 1 && Mode::kPairs == x.bf16) {
      w = Mode::kPairs ? std::min(words, x.count_k / 2 - w0) : words;
      std::memcpy(to, x.at(r, Mode::kPairs ? 2 * w0 : w0), static_cast<std::size_t>(4 * w));
    } else if (x.k == 1) {
      const auto* from = reinterpret_cast<const bf16_t*>(x.at(r, w0));
      for (; w + kLanes <= words; w += kLanes)
        store(reinterpret_cast<float*>(to + w), widen(from + w));
    }
    for (; w < words; ++w) {
      const std::uint32_t word = read_word<Mode>(x, r, w0 + w);
      std::memcpy(to + w, &word, 4);
    }
  }
}

}  // namespace lathe::kernels::LATHE_ISA
