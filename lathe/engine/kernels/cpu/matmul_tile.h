// The register tile of the matrix product: R rows by V vectors of 16 columns, over a range of k.
//
// Everything after packing is counted in 32-bit words: one f32, or one pair of bf16 (k, k+1). The
// two differ only in the multiply (Mode::mul_add), so tiles and blocking are written once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lathe/engine/kernels/cpu/six_rows.h"
#include "lathe/engine/kernels/cpu/vec.h"

namespace lathe::kernels::LATHE_ISA {

/// A word in memory, whatever it holds and however it is aligned.
using Word = float __attribute__((may_alias, aligned(2)));

/// One f32 a word.
struct F32Words {
  static constexpr bool kPairs = false;
  static F32x16 mul_add(F32x16 a, F32x16 b, F32x16 sum) { return add_product(a, b, sum); }
};

#if defined(__AVX512F__)
constexpr int kTileRows = 8, kTileVectors = 3;  // 24 sums, 3 of b, 1 of a: 28 of 32 registers
#else
constexpr int kTileRows = 6, kTileVectors = 1;  // 12 sums, 2 of b, 1 of a: 15 of 16 registers
#endif
constexpr int kLanes = 16;
constexpr int kGroupLanes = 8;  // rows of a packed tile of a
static_assert(kGroupLanes >= kTileRows);

/// Lines of memory to fetch while a tile runs, one in eight words; null: none.
struct Stream {
  const char* at;
  std::ptrdiff_t step;  // bytes
};

/// What one tile reads and writes. Offsets and strides in words, those of `out` in elements.
struct Tile {
  const Word* a;
  std::ptrdiff_t a_row, a_k;  // a[i * a_row + k * a_k]; one of the strides is 1
  const Word* b;              // b[v * b_panel + k * 16 + lane]
  std::ptrdiff_t b_panel;
  std::int64_t words;  // length of the range of k
  float* partial;      // sums so far, and their destination unless `finish`
  std::ptrdiff_t partial_row;
  bool resume;  // go on from *partial instead of 0
  bool finish;  // the last range of k: add bias, store to out
  void* out;
  std::ptrdiff_t out_row;
  bool out_bf16;
  const float* bias;          // or null; readable up to the next multiple of 16
  int columns;                // 1 .. 16 V
  const Word* next_a;         // a of the next tile, fetched while this one runs, or null
  Stream ahead[2];            // what will be packed next, of a and of b
  const float* next_partial;  // the same for its sums
};

template <int R, int V>
struct Sums {
  F32x16 at[R][V];
};

/// Zero, or the sums so far.
template <int R, int V>
inline void start(const Tile& t, Sums<R, V>& s) {
  const auto each = [&](const auto& value) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) s.at[i][v] = value(i, v);
  };
  const auto at = [&](int i, int v) { return t.partial + i * t.partial_row + v * kLanes; };
  if (!t.resume) {
    each([](int, int) { return zero(); });
  } else if (t.columns >= V * kLanes) {
    each([&](int i, int v) { return load(at(i, v)); });
  } else {
    each([&](int i, int v) {
      const int left = t.columns - v * kLanes;
      return left >= kLanes ? load(at(i, v)) : load_first(at(i, v), left);
    });
  }
}

/// Stores the tile's columns to rows that lie `row` elements apart.
template <typename T, int R, int V>
inline void store_rows(const Sums<R, V>& s, T* to, std::ptrdiff_t row, int columns) {
  const auto each = [&](const auto& put) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) put(to + i * row + v * kLanes, s.at[i][v], columns - v * kLanes);
  };
  if (columns >= V * kLanes) {
    each([](T* p, F32x16 x, int) { store(p, x); });
  } else {
    each([](T* p, F32x16 x, int left) {
      if (left >= kLanes) {
        store(p, x);
      } else {
        store_first(p, x, left);
      }
    });
  }
}

template <int R, int V>
inline void finish(const Tile& t, Sums<R, V>& s) {
  if (!t.finish) return store_rows(s, t.partial, t.partial_row, t.columns);
  if (t.bias != nullptr) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) s.at[i][v] = s.at[i][v] + load(t.bias + v * kLanes);
  }
  if (t.out_bf16) return store_rows(s, static_cast<bf16_t*>(t.out), t.out_row, t.columns);
  store_rows(s, static_cast<float*>(t.out), t.out_row, t.columns);
}

/// One step of k for every sum of the tile.
template <typename Mode, int R, int V>
inline void step(const Word* a, std::ptrdiff_t a_row, const Word* b, std::ptrdiff_t b_panel,
                 Sums<R, V>& s) {
  F32x16 columns[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) columns[v] = load(reinterpret_cast<const float*>(b + v * b_panel));
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    const F32x16 row = splat(a[i * a_row]);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) s.at[i][v] = Mode::mul_add(row, columns[v], s.at[i][v]);
  }
}

inline void prefetch_rows(const float* p, std::ptrdiff_t row, int rows, int vectors) {
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v)
      _mm_prefetch(reinterpret_cast<const char*>(p + i * row + v * kLanes), _MM_HINT_T0);
}

/// One line a row of the next tile, at the same k.
template <int R>
inline void prefetch_a(const Word* next, std::ptrdiff_t a_row, std::int64_t k) {
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
    _mm_prefetch(reinterpret_cast<const char*>(next + i * a_row + k), _MM_HINT_T0);
}

template <typename Mode, int R, int V, bool kRowsOfK>
void run_tile(const Tile& t) {
  Sums<R, V> s;
  start(t, s);
  if (t.next_partial != nullptr) prefetch_rows(t.next_partial, t.partial_row, R, V);
  const std::ptrdiff_t a_row = kRowsOfK ? t.a_row : 1, a_k = kRowsOfK ? 1 : kGroupLanes;
  const std::ptrdiff_t b_panel = t.b_panel;
  const Word *a = t.a, *b = t.b;
  Stream ahead[2] = {t.ahead[0], t.ahead[1]};
  std::int64_t k = 0;
  for (; k + 8 <= t.words; k += 8) {
    for (Stream& stream : ahead) {
      if (stream.at == nullptr) continue;
      _mm_prefetch(stream.at, _MM_HINT_T1);
      stream.at += stream.step;
    }
    if constexpr (kRowsOfK)
      if (t.next_a != nullptr && k % kLanes == 0) prefetch_a<R>(t.next_a, a_row, k);
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) step<Mode, R, V>(a + j * a_k, a_row, b + j * kLanes, b_panel, s);
    a += 8 * a_k;
    b += 8 * kLanes;
  }
  for (; k < t.words; ++k, a += a_k, b += kLanes) step<Mode, R, V>(a, a_row, b, b_panel, s);
  finish(t, s);
}

#if !defined(__AVX512F__)
template <bool kRowsOfK, bool kFetch>
void run_six_rows(const Tile& t) {
  SixRows o{t.a, nullptr, kGroupLanes * 4, t.b, kLanes * 4, t.words / 8, t.words % 8, {}, {}};
  if constexpr (kRowsOfK) o.a3 = t.a + 3 * t.a_row, o.a_step = t.a_row * 4;
  for (int i = 0; i < 2 && kFetch; ++i) {
    const bool any = t.ahead[i].at != nullptr;  // else a line that is near
    o.ahead[i] = any ? t.ahead[i].at : reinterpret_cast<const char*>(&o);
    o.ahead_step[i] = any ? t.ahead[i].step : 0;
  }
  Sums<kTileRows, 1> s;
  start(t, s);
  if (t.next_partial != nullptr) prefetch_rows(t.next_partial, t.partial_row, kTileRows, 1);
  take_steps<kRowsOfK ? Left::rows : Left::lanes, kFetch>(o, s.at);
  const bool ends = t.finish && t.bias == nullptr && !t.out_bf16;
  if (t.columns == kLanes && (ends || !t.finish))  // nearly always: the sums stay in registers
    return store_rows(s, ends ? static_cast<float*>(t.out) : t.partial,
                      ends ? t.out_row : t.partial_row, kLanes);
  Sums<kTileRows, 1> rest = s;
  finish(t, rest);
}

/// run_tile for most tiles of f32, its steps in assembly (six_rows.h).
template <bool kRowsOfK>
void run_six_rows(const Tile& t) {
  const bool fetch = t.ahead[0].at != nullptr || t.ahead[1].at != nullptr;
  fetch ? run_six_rows<kRowsOfK, true>(t) : run_six_rows<kRowsOfK, false>(t);
}
#endif

using TileFn = void (*)(const Tile&);

template <typename Mode, int R, int V>
TileFn tile_of_layout(bool rows_of_k) {
#if !defined(__AVX512F__)
  if constexpr (std::is_same_v<Mode, F32Words> && R == kTileRows && V == 1)
    return rows_of_k ? run_six_rows<true> : run_six_rows<false>;
#endif
  return rows_of_k ? run_tile<Mode, R, V, true> : run_tile<Mode, R, V, false>;
}

template <typename Mode, int R>
TileFn tile_of_width(int vectors, bool rows_of_k) {
  if constexpr (kTileVectors >= 3)
    if (vectors == 3) return tile_of_layout<Mode, R, 3>(rows_of_k);
  if constexpr (kTileVectors >= 2)
    if (vectors == 2) return tile_of_layout<Mode, R, 2>(rows_of_k);
  return tile_of_layout<Mode, R, 1>(rows_of_k);
}

/// The tile for 1 <= rows <= kTileRows and 1 <= vectors <= kTileVectors.
template <typename Mode>
TileFn tile_for(int rows, int vectors, bool rows_of_k) {
  switch (rows) {
    case 1:
      return tile_of_width<Mode, 1>(vectors, rows_of_k);
    case 2:
      return tile_of_width<Mode, 2>(vectors, rows_of_k);
    case 3:
      return tile_of_width<Mode, 3>(vectors, rows_of_k);
    case 4:
      return tile_of_width<Mode, 4>(vectors, rows_of_k);
    case 5:
      return tile_of_width<Mode, 5>(vectors, rows_of_k);
    case 6:
      return tile_of_width<Mode, 6>(vectors, rows_of_k);
    case 7:
      if constexpr (kTileRows >= 7) return tile_of_width<Mode, 7>(vectors, rows_of_k);
      [[fallthrough]];
    default:
      return tile_of_width<Mode, kTileRows>(vectors, rows_of_k);
  }
}

}  // namespace lathe::kernels::LATHE_ISA
