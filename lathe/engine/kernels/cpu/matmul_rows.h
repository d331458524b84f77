// Few rows of a against b whose k are adjacent (decoding: weights as rows [N,K]). b is read once
// and straight into registers: blocks of 16 columns by 4 words, transposed. The chain is the same.
#pragma once

#include "lathe/engine/kernels/cpu/matmul_pack.h"

namespace lathe::kernels::LATHE_ISA {

/// Rows of a up to which this beats packing. Measured: vdpbf16ps and the shuffles share ports.
template <typename Mode>
constexpr int few_rows_limit() {
#if defined(__AVX512F__)
  return Mode::kPairs ? 8 : 16;  // 16 sums, 4 of b
#else
  return 2;
#endif
}

constexpr int kBlockWords = 4;

struct Block {
  F32x16 word[kBlockWords];
};

#if defined(__AVX512F__)
/// 4x4 words transposed inside each 128-bit lane.
inline void transpose_lanes(const __m512 (&in)[4], Block& out) {
  const __m512 a = _mm512_unpacklo_ps(in[0], in[1]), b = _mm512_unpackhi_ps(in[0], in[1]);
  const __m512 c = _mm512_unpacklo_ps(in[2], in[3]), d = _mm512_unpackhi_ps(in[2], in[3]);
  out.word[0] = {_mm512_shuffle_ps(a, c, 0x44)};
  out.word[1] = {_mm512_shuffle_ps(a, c, 0xEE)};
  out.word[2] = {_mm512_shuffle_ps(b, d, 0x44)};
  out.word[3] = {_mm512_shuffle_ps(b, d, 0xEE)};
}

/// Words 0..3 of 16 rows, `row` bytes apart.
inline Block gather(const char* p, std::ptrdiff_t row) {
  const auto four = [&](int i) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(p + i * row));
  };
  __m512 in[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    in[i] = _mm512_castps128_ps512(four(i));
    in[i] = _mm512_insertf32x4(in[i], four(i + 4), 1);
    in[i] = _mm512_insertf32x4(in[i], four(i + 8), 2);
    in[i] = _mm512_insertf32x4(in[i], four(i + 12), 3);
  }
  Block out;
  transpose_lanes(in, out);
  return out;
}

inline F32x16 even_of(F32x16 x) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(x.v), 16))};
}
inline F32x16 odd_of(F32x16 x) {
  return {
      _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(x.v), _mm512_set1_epi32(-0x10000)))};
}
#else
/// Words 0..3 of 16 rows, `row` bytes apart.
inline Block gather(const char* p, std::ptrdiff_t row) {
  __m256 low[4], high[4];
  transpose_8x4(p, row, low);
  transpose_8x4(p + 8 * row, row, high);
  return {{{low[0], high[0]}, {low[1], high[1]}, {low[2], high[2]}, {low[3], high[3]}}};
}

inline F32x16 even_of(F32x16 x) { return {even_of(x.lo), even_of(x.hi)}; }
inline F32x16 odd_of(F32x16 x) { return {odd_of(x.lo), odd_of(x.hi)}; }
#endif

/// One word of 16 columns against every row of a.
template <typename Mode, int R>
inline void add_word(const Word* a, std::ptrdiff_t a_row, F32x16 b, Sums<R, 1>& s) {
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) s.at[i][0] = Mode::mul_add(splat(a[i * a_row]), b, s.at[i][0]);
}

/// Where the 16 rows of b after the current ones lie, or nothing.
struct NextRows {
  const char* data = nullptr;

  /// The part that corresponds to unit u of the current rows: one line after the other, while
  /// sixteen rows at once are too many streams for the processor to foresee. Into the second-level
  /// cache: fewer misses fit into the first (quant_unpack.h fetches alike).
  void fetch(std::int64_t u) const {
    if (data == nullptr) return;
#pragma GCC unroll 4
    for (int i = 0; i < kBlockWords; ++i) _mm_prefetch(data + (u + i) * 4 * kLanes, _MM_HINT_T1);
  }
};

/// Sums of R rows by 16 columns over all of k; t gives a, the start and the destination. `x` is b
/// from the tile's first column on; `next` lies behind it.
template <typename Mode, int R>
inline void run_few_rows(const Operand& x, const Tile& t, const NextRows& next) {
  Sums<R, 1> s;
  start(t, s);
  const bool widen = !Mode::kPairs && x.bf16;
  const std::int64_t step = widen ? 2 : 1;  // words a 32-bit unit of b gives
  const std::ptrdiff_t row = x.lane * (x.bf16 ? 2 : 4);
  const std::int64_t units = x.count_k / (x.bf16 ? 2 : 1);  // whole ones
  std::int64_t u = 0;
  if (t.columns == kLanes) {
    for (; u + kBlockWords <= units; u += kBlockWords) {
      next.fetch(u);
      const Block block = gather(x.data + 4 * u, row);
#pragma GCC unroll 4
      for (int j = 0; j < kBlockWords; ++j) {
        const Word* a = t.a + (u + j) * step;
        if (widen) {
          add_word<Mode, R>(a, t.a_row, even_of(block.word[j]), s);
          add_word<Mode, R>(a + 1, t.a_row, odd_of(block.word[j]), s);
        } else {
          add_word<Mode, R>(a, t.a_row, block.word[j], s);
        }
      }
    }
  }
  for (std::int64_t w = u * step; w < t.words; ++w) {
    alignas(64) Word lanes[kLanes];
    pack_plain<Mode>(x, w, 1, t.columns, kLanes, lanes);
    add_word<Mode, R>(t.a + w, t.a_row, load(reinterpret_cast<const float*>(lanes)), s);
  }
  finish(t, s);
}

/// 1 <= rows <= few_rows_limit.
template <typename Mode, int R = few_rows_limit<Mode>()>
inline void few_rows(int rows, const Operand& x, const Tile& t, const NextRows& next) {
  if constexpr (R > 1)
    if (rows < R) return few_rows<Mode, R - 1>(rows, x, t, next);
  run_few_rows<Mode, R>(x, t, next);
}

}  // namespace lathe::kernels::LATHE_ISA
