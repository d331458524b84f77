// The register tile of products with quantised weights: R tokens by P panels of 16 outputs, over
// all of k. A panel holds bytes [K/4][16][4], so that one vector is four k of sixteen outputs; a
// token's four bytes are spread to all lanes. Groups of 16 or 32 k are summed exactly in integers.
#pragma once

#include <cstdint>

#include "lathe/engine/kernels/cpu/quant_vec.h"
#include "lathe/engine/kernels/quant.h"

#ifdef LATHE_SIMDE
#include <simde/x86/avx512.h>
#endif

namespace lathe::kernels::LATHE_ISA {

/// Sixteen rows of weights, k outermost.
struct Panel {
  const std::uint8_t* q;  // stored as q + offset (signed where the offset is 0 and q may be < 0)
  const float* scale;     // [K/group][16]
  const float* minimum;   // the same, or null
};

/// Tokens, quantised: q [K], scale [K/32], and what the sums need once a group (Extra).
struct Tokens {
  const std::int8_t* q;
  const float* scale;
  const float* total;         // scale * sum of q, for types with minima
  const std::int32_t* start;  // -offset * sum of q, for the others
  std::ptrdiff_t q_row, scale_row, group_row;
};

struct QuantTile {
  Tokens x;
  Panel w;
  std::ptrdiff_t panel_q, panel_scale;  // from one panel to the next
  std::int64_t groups;
  const float* bias;  // of the first output, or null; readable for all panels
  void* y;
  std::ptrdiff_t y_row;
  bool y_bf16;
  int columns;  // valid ones of 16 P
};

/// What the integer part of a tile depends on: k of a group, minima, largest stored q (255: signed
/// bytes).
template <int kGroup, bool kMinimum, int kMost>
struct QuantKind {
  static constexpr int group = kGroup, most = kMost;
  static constexpr bool minimum = kMinimum;
};

template <int R, int P>
struct IntSums {
  I32x16 at[R][P];
};

#if defined(__AVX512VNNI__) || defined(LATHE_SIMDE)

constexpr bool kVnni = true;

/// Four products of unsigned and signed bytes added to each lane, without saturation.
inline I32x16 dot_bytes(I32x16 sum, I32x16 w, I32x16 x) {
#ifdef LATHE_SIMDE
  return {simde_mm256_dpbusd_epi32(sum.lo, w.lo, x.lo),
          simde_mm256_dpbusd_epi32(sum.hi, w.hi, x.hi)};
#else
  return {_mm512_dpbusd_epi32(sum.v, w.v, x.v)};
#endif
}

template <typename Kind, int R, int P>
inline void add_group(const std::uint8_t* w, std::ptrdiff_t panel, const std::int8_t* x,
                      std::ptrdiff_t row, IntSums<R, P>& s) {
#pragma GCC unroll 8
  for (int step = 0; step < Kind::group / 4; ++step) {
    I32x16 columns[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) columns[p] = load_i32(w + p * panel + step * 64);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const I32x16 token = splat_bytes(x + r * row + step * 4);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) s.at[r][p] = dot_bytes(s.at[r][p], columns[p], token);
    }
  }
}

#else

constexpr bool kVnni = false;

/// vpmaddubsw adds two products in 16 bits, saturating. Of q up to `most` by x up to 127, so many
/// pairs fit: 15: all 8 of a group of 32; 31: 4; 63: 2.
template <int kMost>
constexpr int pairs_in_16_bits() {
  constexpr int pairs = 32767 / (2 * 127 * kMost);
  return pairs >= 8 ? 8 : pairs >= 4 ? 4 : pairs >= 2 ? 2 : 1;
}

/// The products of one step in 16 bits. Signed weights: |w| is the unsigned operand (128 for -128,
/// which is right) and x takes the sign of w; x is never -128. 2 * 128 * 127 fits.
template <typename Kind>
inline I32x16 products(I32x16 w, I32x16 token) {
  if constexpr (Kind::most == 255) return multiply_pairs(abs_i8(w), with_signs(token, w));
  return multiply_pairs(w, token);
}

template <typename Kind, int R, int P>
inline void add_group(const std::uint8_t* w, std::ptrdiff_t panel, const std::int8_t* x,
                      std::ptrdiff_t row, IntSums<R, P>& s) {
  constexpr int kSteps = Kind::group / 4;
  constexpr int kRun = Kind::most == 255 ? 1 : pairs_in_16_bits<Kind::most>();
  constexpr int kLength = kRun < kSteps ? kRun : kSteps;
#pragma GCC unroll 8
  for (int first = 0; first < kSteps; first += kLength) {
    I32x16 narrow[R][P];
#pragma GCC unroll 8
    for (int step = first; step < first + kLength; ++step) {
      I32x16 columns[P];
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) columns[p] = load_i32(w + p * panel + step * 64);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const I32x16 token = splat_bytes(x + r * row + step * 4);
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
          const I32x16 next = products<Kind>(columns[p], token);
          narrow[r][p] = step == first ? next : add_i16(narrow[r][p], next);
        }
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) s.at[r][p] = s.at[r][p] + widen_pairs(narrow[r][p]);
  }
}

#endif

/// The scales of group g applied to its sums.
template <typename Kind, int R, int P>
inline void scale_group_sums(const QuantTile& t, std::int64_t g, const IntSums<R, P>& s,
                             F32x16 (&sums)[R][P]) {
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
    const F32x16 scale = load(t.w.scale + p * t.panel_scale + g * 16);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const float x = t.x.scale[r * t.x.scale_row + g * Kind::group / 32];
      sums[r][p] = fma(scale * splat(x), to_float(s.at[r][p]), sums[r][p]);
    }
    if constexpr (Kind::minimum) {
      const F32x16 minimum = load(t.w.minimum + p * t.panel_scale + g * 16);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r)
        sums[r][p] = fma(minimum, splat(t.x.total[r * t.x.group_row + g]), sums[r][p]);
    }
  }
}

template <int R, int P>
inline void store_tile(const QuantTile& t, const F32x16 (&sums)[R][P]) {
  for (int r = 0; r < R; ++r) {
    for (int p = 0; p < P; ++p) {
      const int left = t.columns - 16 * p;
      if (left <= 0) break;
      const std::ptrdiff_t at = r * t.y_row + 16 * p;
      const F32x16 x = t.bias == nullptr ? sums[r][p] : sums[r][p] + load(t.bias + 16 * p);
      if (t.y_bf16) {
        auto* y = static_cast<bf16_t*>(t.y) + at;
        left >= 16 ? store(y, x) : store_first(y, x, left);
      } else {
        auto* y = static_cast<float*>(t.y) + at;
        left >= 16 ? store(y, x) : store_first(y, x, left);
      }
    }
  }
}

template <typename Kind, int R, int P>
void run_quant_tile(const QuantTile& t) {
  F32x16 sums[R][P];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) sums[r][p] = zero();
  for (std::int64_t g = 0; g < t.groups; ++g) {
    IntSums<R, P> s;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const std::int32_t start = Kind::minimum ? 0 : t.x.start[r * t.x.group_row + g];
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) s.at[r][p] = splat_i32(start);
    }
    add_group<Kind, R, P>(t.w.q + g * Kind::group * 16, t.panel_q, t.x.q + g * Kind::group,
                          t.x.q_row, s);
    scale_group_sums<Kind, R, P>(t, g, s, sums);
  }
  store_tile(t, sums);
}

}  // namespace lathe::kernels::LATHE_ISA
