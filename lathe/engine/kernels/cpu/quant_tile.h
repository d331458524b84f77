// The register tile of products with quantised weights: R tokens by P panels of 16 outputs, over
// all of k. A panel holds bytes [K/4][16][4], so that one vector is four k of sixteen outputs; a
// token's four bytes are spread to all lanes. Groups of 16 or 32 k are summed exactly in integers.
// Where signed bytes are multiplied as 16-bit numbers (Summing::words), a vector holds two k: those
// at 0 and 2 of four, then those at 1 and 3.
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

/// Tokens, quantised: q [K], scale [K/32], and what the sums need once a group.
struct Tokens {
  const std::int8_t* q;  // or 16-bit numbers, in the order of the panel
  const float* scale;
  const float* total;                          // scale * sum of q, for types with minima
  const std::int32_t* start;                   // what the sum begins with (QuantKind)
  std::ptrdiff_t q_row, scale_row, group_row;  // q_row in bytes
};

/// Memory that will be read soon, fetched a few lines at a time between multiplications: all at
/// once would stop them, since a core waits for some dozens of lines at most.
struct NextSlab {
  const char* at = nullptr;
  std::int64_t lines = 0;
  std::int64_t each = 0;

  void fetch() {
    const std::int64_t n = lines < each ? lines : each;
    for (std::int64_t i = 0; i < n; ++i) _mm_prefetch(at + i * 64, _MM_HINT_T1);
    at += n * 64, lines -= n;
  }
};

struct QuantTile {
  Tokens x;
  Panel w;
  std::ptrdiff_t panel_q, panel_scale;  // from one panel to the next
  std::int64_t groups;
  const float* bias;  // of the first output, or null; readable for all panels
  NextSlab* ahead;    // what is fetched meanwhile, or null
  void* y;
  std::ptrdiff_t y_row;
  bool y_bf16;
  int columns;  // valid ones of 16 P
};

/// How the products of a group are summed.
enum class Summing {
  bytes,   // vpdpbusd: unsigned bytes, 32 bits; begins with -offset * sum of x
  signs,   // signed bytes without it: every pair of products is widened to 32 bits; begins with 0
  words,   // the same bytes as 16-bit numbers, for several tokens; begins with 0
  narrow,  // in 16 bits; begins with -offset * sum of x, in two parts (TokenBuffer)
  narrow_plus,  // the same with an offset that is no part of q: what was begun with is given back
};

/// What the integer part of a tile depends on: k of a group, minima, and how it is summed.
template <int kGroup, bool kMinimum, Summing kSumming>
struct QuantKind {
  static constexpr int group = kGroup;
  static constexpr bool minimum = kMinimum;
  static constexpr Summing summing = kSumming;
  static constexpr bool narrow = kSumming >= Summing::narrow;
  static constexpr int bytes = kSumming == Summing::words ? 2 : 1;  // of a q in a panel
};

template <int R, int P>
struct IntSums {
  I32x16 at[R][P];
};

#if defined(__AVX512VNNI__) || defined(__AVXVNNI__) || defined(LATHE_SIMDE)

constexpr bool kVnni = true;

/// Four products of unsigned and signed bytes added to each lane, without saturation.
template <typename Kind>
inline I32x16 add_products(I32x16 sum, I32x16 w, I32x16 x) {
#ifdef LATHE_SIMDE
  return {simde_mm256_dpbusd_epi32(sum.lo, w.lo, x.lo),
          simde_mm256_dpbusd_epi32(sum.hi, w.hi, x.hi)};
#elif !defined(__AVX512F__)
  return {_mm256_dpbusd_avx_epi32(sum.lo, w.lo, x.lo), _mm256_dpbusd_avx_epi32(sum.hi, w.hi, x.hi)};
#else
  return {_mm512_dpbusd_epi32(sum.v, w.v, x.v)};
#endif
}

#else

constexpr bool kVnni = false;

/// Four products added to each lane of a sum; w are bytes of a panel. Signed weights: |w| is the
/// unsigned operand (128 for -128, which is right) and x takes the sign of w; x is never -128, and
/// 2 * 128 * 127 fits in 16 bits.
template <typename Kind>
inline I32x16 add_products(I32x16 sum, I32x16 w, I32x16 x) {
  if constexpr (Kind::narrow) return here(add_i16(sum, multiply_pairs(w, x)));
  if constexpr (Kind::summing == Summing::words) return here(sum + multiply_words(w, x));
  return here(sum + widen_pairs(multiply_pairs(abs_i8(w), with_signs(x, w))));
}

#endif

/// The sum of a group in 32 bits.
template <typename Kind>
inline I32x16 whole_sum(I32x16 sum, I32x16 start) {
  if constexpr (Kind::summing == Summing::narrow_plus) return widen_pairs(sum) - widen_pairs(start);
  return Kind::narrow ? widen_pairs(sum) : sum;
}

/// What sums of group g of a token begin with.
template <typename Kind>
inline I32x16 start_of(const std::int32_t* start, std::int64_t g) {
  const bool zero_start = Kind::summing == Summing::signs || Kind::summing == Summing::words ||
                          (Kind::minimum && Kind::summing != Summing::narrow_plus);
  return zero_start ? splat_i32(0) : splat_i32(start[g]);
}

template <typename Kind, int R, int P>
inline void add_group(const std::uint8_t* w, std::ptrdiff_t panel, const std::int8_t* x,
                      std::ptrdiff_t row, IntSums<R, P>& s) {
#pragma GCC unroll 16
  for (int step = 0; step < Kind::group * Kind::bytes / 4; ++step) {
    I32x16 columns[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) columns[p] = load_i32(w + p * panel + step * 64);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const I32x16 token = splat_bytes(x + r * row + step * 4);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) s.at[r][p] = add_products<Kind>(s.at[r][p], columns[p], token);
    }
  }
}

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
      const I32x16 start = start_of<Kind>(t.x.start + r * t.x.group_row, g);
      const F32x16 sum = to_float(whole_sum<Kind>(s.at[r][p], start));
      sums[r][p] = fma(scale * splat(x), sum, sums[r][p]);
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
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) s.at[r][p] = start_of<Kind>(t.x.start + r * t.x.group_row, g);
    }
    if (t.ahead != nullptr) t.ahead->fetch();
    constexpr int kBytes = Kind::group * Kind::bytes;
    add_group<Kind, R, P>(t.w.q + g * kBytes * 16, t.panel_q, t.x.q + g * kBytes, t.x.q_row, s);
    scale_group_sums<Kind, R, P>(t, g, s, sums);
  }
  store_tile(t, sums);
}

}  // namespace lathe::kernels::LATHE_ISA
