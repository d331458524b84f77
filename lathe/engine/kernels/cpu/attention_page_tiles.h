// Register tiles of attention that read pages (kernels/kv_layout.h) as they lie and widen them on
// the way: for the few rows of decoding, which a page serves once.
#pragma once

#include "lathe/engine/kernels/attention_shape.h"
#include "lathe/engine/kernels/cpu/vec.h"
#include "lathe/engine/kernels/kv_pages.h"

namespace lathe::kernels::LATHE_ISA::attention_parts {

using namespace attention_detail;

/// Lines to ask for while a page is read: those that lie kAheadBytes further on, which at the end
/// of a head's stretch are in the page that comes next (null: none does).
struct PageAhead {
  const std::byte *head, *next;
  Index bytes;  // of the stretch

  static constexpr Index kAheadBytes = 8192;

  LATHE_INLINE const std::byte* from(const std::byte* place) const {
    const Index to = place - head + kAheadBytes;
    if (to < bytes) return head + to;
    return next == nullptr ? nullptr : next + to - bytes;
  }
};

LATHE_INLINE F32x16 widen_bytes(const std::byte* p) {
#if defined(__AVX512F__)
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(x))};
#else
  const auto* q = reinterpret_cast<const __m128i*>(p);
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(q))),
          _mm256_cvtepi32_ps(
              _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8))))};
#endif
}

/// The even (odd) halves of sixteen words of two bf16.
template <int kHalf>
LATHE_INLINE F32x16 widen_half(const std::byte* p) {
  const F32x16 words = load(reinterpret_cast<const float*>(p));
#if defined(__AVX512F__)
  const __m512i bits = _mm512_castps_si512(words.v);
  if constexpr (kHalf == 0) return {_mm512_castsi512_ps(_mm512_slli_epi32(bits, 16))};
  return {_mm512_castsi512_ps(
      _mm512_and_si512(bits, _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))))};
#else
  const auto half = [](__m256 x) {
    const __m256i bits = _mm256_castps_si256(x);
    if constexpr (kHalf == 0) return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
    return _mm256_and_ps(x, _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(0xFFFF0000u))));
  };
  return {half(words.lo), half(words.hi)};
#endif
}

/// Panels of the keys or the values of a head. vector<kHalf>(t, v): step t (kHalf: its parity) of
/// panel v.
struct F32Panels {
  static constexpr KvType kType = KvType::f32;
  const std::byte* data;
  Index panel;  // bytes

  template <int kHalf>
  LATHE_INLINE F32x16 vector(Index t, int v) const {
    return load(reinterpret_cast<const float*>(data + v * panel + t * 64));
  }
};

struct Bf16Panels {
  static constexpr KvType kType = KvType::bf16;
  const std::byte* data;
  Index panel;

  template <int kHalf>
  LATHE_INLINE F32x16 vector(Index t, int v) const {
    return widen_half<kHalf>(data + v * panel + t / 2 * 64);
  }
};

/// Keys: a scale for each lane and 32 steps.
struct Q8KeyPanels {
  static constexpr KvType kType = KvType::q8_0;
  const std::byte* data;
  Index panel;
  const float* scales;
  Index scale_panel;  // floats

  template <int kHalf>
  LATHE_INLINE F32x16 vector(Index t, int v) const {
    return widen_bytes(data + v * panel + t * 16) *
           load(scales + v * scale_panel + t / kActivationBlock * 16);
  }
};

/// Values: a scale for each step and two panels, of which the first is even.
struct Q8ValuePanels {
  static constexpr KvType kType = KvType::q8_0;
  const std::byte* data;
  Index panel;
  const float* scales;

  template <int kHalf>
  LATHE_INLINE F32x16 vector(Index t, int v) const {
    return widen_bytes(data + v * panel + t * 16) *
           splat(scales[v * 16 / kActivationBlock * kKvPage + t]);
  }
};

/// c[r][16 v ..] = chain over steps t ascending of fma(a[r][t], panel v at t, .), from 0.
struct PageChains {
  const float* a;
  Index lda;
  Range steps;
  float* c;
  Index ldc;
  const std::byte* ahead;  // to be fetched on the way
};

template <typename Panels, int R, int V>
struct PageTile {
  const PageChains& x;
  const Panels& panels;
  F32x16 sum[R][V];

  template <int kHalf>
  LATHE_INLINE void step(Index t) {
    F32x16 left[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) left[r] = splat(x.a[r * x.lda + t]);
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const F32x16 right = panels.template vector<kHalf>(t, v);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) sum[r][v] = fma(left[r], right, sum[r][v]);
    }
  }

  /// Fetches the share of steps t and t + 1 of what V panels take.
  LATHE_INLINE void fetch(Index t) {
    constexpr KvType kType = Panels::kType;
    constexpr int kBytes = V * (kType == KvType::f32 ? 128 : kType == KvType::bf16 ? 64 : 32);
    if (x.ahead == nullptr) return;
    const std::byte* line = x.ahead + t / 2 * kBytes;
#pragma GCC unroll 8
    for (int at = 0; at < kBytes; at += 64) __builtin_prefetch(line + at, 0, 3);
  }

  LATHE_INLINE void run() {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[r][v] = zero();
    Index t = x.steps.begin;
    if (t < x.steps.end && t % 2 != 0) step<1>(t++);
    for (; t + 2 <= x.steps.end; t += 2) {
      fetch(t);
      step<0>(t);
      step<1>(t + 1);
    }
    if (t < x.steps.end) step<0>(t);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) store(x.c + r * x.ldc + 16 * v, sum[r][v]);
  }
};

/// `rows` rows (1 to kTileRows) of chains over `vectors` panels; at(v): the panels from v on,
/// ahead(v): what to fetch beside them.
template <int R, typename At, typename Ahead>
void page_rows(PageChains x, int vectors, const At& at, const Ahead& ahead) {
#if defined(__AVX512F__)
  constexpr int kWide = 4;
#else
  constexpr int kWide = R <= 3 ? 2 : 1;  // 16 registers
#endif
  float* const c = x.c;
  for (int v = 0; v < vectors;) {
    const auto panels = at(v);
    using Panels = std::remove_cv_t<decltype(panels)>;
    x.c = c + 16 * v;
    x.ahead = ahead(panels.data);
    const auto tile = [&]<int V>(std::integral_constant<int, V>) {
      PageTile<Panels, R, V>{x, panels, {}}.run();
      v += V;
    };
    if (kWide >= 4 && vectors - v >= 4)
      tile(std::integral_constant<int, 4>());
    else if (kWide >= 2 && vectors - v >= 2)
      tile(std::integral_constant<int, 2>());
    else
      tile(std::integral_constant<int, 1>());
  }
}

template <typename At, typename Ahead>
void page_chain(const PageChains& x, int rows, int vectors, const At& at, const Ahead& ahead) {
  switch (rows) {
    case 1:
      return page_rows<1>(x, vectors, at, ahead);
    case 2:
      return page_rows<2>(x, vectors, at, ahead);
    case 3:
      return page_rows<3>(x, vectors, at, ahead);
    case 4:
      return page_rows<4>(x, vectors, at, ahead);
    case 5:
      return page_rows<5>(x, vectors, at, ahead);
    default:
      return page_rows<6>(x, vectors, at, ahead);
  }
}

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
