// The register tile of int8 products: R tokens by V vectors of sixteen outputs, over a range of k.
//
// Everything is laid out in words of four k. Tokens are stored as q + 128, unsigned, which
// vpmaddubsw and vpdpbusd want of one side; a weight's sum starts at -128 times the sum of its q
// instead of 0. Without VNNI vpmaddubsw adds two products in 16 bits: 2 * 255 * 63 fits. That is
// why weights have seven bits: with eight, signs must be moved from one side to the other for every
// product (Zen 3: 155 GOP/s a core, 164 in int16, 211 this way; f32: 101).
#pragma once

#include <cstddef>
#include <cstdint>

#include "lathe/engine/kernels/cpu/quant_vec.h"

#ifdef LATHE_SIMDE
#include <simde/x86/avx512.h>
#endif

namespace lathe::kernels::LATHE_ISA {

constexpr int kInt8PerWord = 4;

#if defined(__AVX512F__)
constexpr int kInt8Rows = 8,
              kInt8Vectors = 3;  // 24 sums, 3 of w, 1 of x, 1 product, ones: 30 of 32
#else
constexpr int kInt8Rows = 5, kInt8Vectors = 1;  // 10 sums, 2 of w, 2 products, ones: 15 of 16
#endif

/// What one tile reads and writes.
struct Int8Tile {
  const char* x;
  std::ptrdiff_t x_row;  // bytes from one token to the next
  const char* next_x;    // x of the next tile, fetched while this one runs, or null
  const char* w;         // [words][16] words
  std::ptrdiff_t w_panel;
  std::int64_t words;         // of this range of k
  std::int32_t* partial;      // [R][V][16] sums between ranges
  bool resume, finish;        // not the first range; the last one
  const std::int32_t* start;  // of the sums, by output
  const float *x_scale, *w_scale;
  const float* bias;  // or null; readable for all vectors
  void* y;
  std::ptrdiff_t y_row;
  bool y_bf16;
  int columns;  // valid ones of 16 V
};

template <int R, int V>
struct Int8Sums {
  I32x16 at[R][V];
};

/// One word of k: the products of one token with the weights in w, added to s.
template <int V>
inline void add_products(const char* x, const I32x16 (&w)[V], I32x16 (&s)[V]) {
#if defined(LATHE_SIMDE)
  const I32x16 token = splat_bytes(reinterpret_cast<const std::int8_t*>(x));
  for (int v = 0; v < V; ++v)
    s[v] = {simde_mm256_dpbusd_epi32(s[v].lo, token.lo, w[v].lo),
            simde_mm256_dpbusd_epi32(s[v].hi, token.hi, w[v].hi)};
#elif defined(__AVX512F__)
  const I32x16 token = splat_bytes(reinterpret_cast<const std::int8_t*>(x));
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
#if defined(__AVX512VNNI__)
    s[v].v = _mm512_dpbusd_epi32(s[v].v, token.v, w[v].v);
#else
    s[v] = s[v] + widen_pairs(multiply_pairs(token, w[v]));
#endif
  }
#elif defined(__AVXVNNI__)
  const I32x16 token = splat_bytes(reinterpret_cast<const std::int8_t*>(x));
  for (int v = 0; v < V; ++v)
    s[v] = {_mm256_dpbusd_avx_epi32(s[v].lo, token.lo, w[v].lo),
            _mm256_dpbusd_avx_epi32(s[v].hi, token.hi, w[v].hi)};
#else
  // Written out: g++ 12 spills half of the sums otherwise, which halves the speed.
  static_assert(V == 1);
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i low, high;
  asm("vpbroadcastd %1, %0" : "=x"(high) : "m"(*reinterpret_cast<const std::int32_t(*)[1]>(x)));
  asm("vpmaddubsw %2, %1, %0" : "=x"(low) : "x"(high), "x"(w[0].lo));
  asm("vpmaddubsw %1, %0, %0" : "+x"(high) : "x"(w[0].hi));
  asm("vpmaddwd %1, %0, %0" : "+x"(low) : "x"(ones));
  asm("vpmaddwd %1, %0, %0" : "+x"(high) : "x"(ones));
  asm("vpaddd %1, %0, %0" : "+x"(s[0].lo) : "x"(low));
  asm("vpaddd %1, %0, %0" : "+x"(s[0].hi) : "x"(high));
#endif
}

template <int R, int V>
inline void step_int8(const char* x, std::ptrdiff_t x_row, const char* w, std::ptrdiff_t w_panel,
                      Int8Sums<R, V>& s) {
  I32x16 columns[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) columns[v] = load_i32(w + v * w_panel);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) add_products<V>(x + r * x_row, columns, s.at[r]);
}

template <int R, int V>
inline void finish_int8(const Int8Tile& t, const Int8Sums<R, V>& s) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const int left = t.columns - 16 * v;
      F32x16 y = splat(t.x_scale[r]) * load(t.w_scale + 16 * v) * to_float(s.at[r][v]);
      if (t.bias != nullptr) y = y + load(t.bias + 16 * v);
      const std::ptrdiff_t at = r * t.y_row + 16 * v;
      if (t.y_bf16) {
        auto* p = static_cast<bf16_t*>(t.y) + at;
        left >= 16 ? store(p, y) : store_first(p, y, left);
      } else {
        auto* p = static_cast<float*>(t.y) + at;
        left >= 16 ? store(p, y) : store_first(p, y, left);
      }
    }
  }
}

template <int R, int V>
void run_int8_tile(const Int8Tile& t) {
  Int8Sums<R, V> s;
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      s.at[r][v] = t.resume ? load_i32(t.partial + (r * V + v) * 16) : load_i32(t.start + 16 * v);
  const std::ptrdiff_t x_row = t.x_row, w_panel = t.w_panel;
  const char *x = t.x, *w = t.w;
  std::int64_t k = 0;
  for (; k + 4 <= t.words; k += 4, x += 16, w += 256) {
    if (t.next_x != nullptr && k % 16 == 0) {
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) _mm_prefetch(t.next_x + r * x_row + 4 * k, _MM_HINT_T0);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) step_int8<R, V>(x + 4 * i, x_row, w + 64 * i, w_panel, s);
  }
  for (; k < t.words; ++k, x += 4, w += 64) step_int8<R, V>(x, x_row, w, w_panel, s);
  if (t.finish) return finish_int8(t, s);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store_i32(t.partial + (r * V + v) * 16, s.at[r][v]);
}

using Int8TileFn = void (*)(const Int8Tile&);

/// The tile for 1 <= rows <= kInt8Rows and 1 <= vectors <= kInt8Vectors.
template <int R = kInt8Rows, int V = kInt8Vectors>
Int8TileFn int8_tile_for(int rows, int vectors) {
  if constexpr (R > 1)
    if (rows < R) return int8_tile_for<R - 1, V>(rows, vectors);
  if constexpr (V > 1)
    if (vectors < V) return int8_tile_for<R, V - 1>(rows, vectors);
  return run_int8_tile<R, V>;
}

}  // namespace lathe::kernels::LATHE_ISA
