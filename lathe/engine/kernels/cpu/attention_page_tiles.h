// Register tiles of attention that read pages (kernels/kv_layout.h) as they lie and widen them on
// the way: for the few rows of decoding, which a page serves once.
#pragma once

#include <type_traits>

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

// A register's worth of a panel's sixteen lanes: on AVX2 half of them.
#if defined(__AVX512F__)
using Lanes = F32x16;
constexpr int kParts = 1;
LATHE_INLINE Lanes lanes_of(float x) { return splat(x); }
LATHE_INLINE Lanes load_lanes(const float* p) { return load(p); }
LATHE_INLINE void store_lanes(float* p, Lanes x) { store(p, x); }
LATHE_INLINE Lanes mul_add(Lanes a, Lanes b, Lanes c) { return fma(a, b, c); }
LATHE_INLINE Lanes times(Lanes a, Lanes b) { return a * b; }
LATHE_INLINE Lanes widen_bytes(const std::byte* p) {
  const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(x))};
}
template <int kOdd>
LATHE_INLINE Lanes widen_half(Lanes words) {
  const __m512i bits = _mm512_castps_si512(words.v);
  if constexpr (kOdd == 0) return {_mm512_castsi512_ps(_mm512_slli_epi32(bits, 16))};
  const __m512i high = _mm512_set1_epi32(static_cast<int>(0xFFFF0000u));
  return {_mm512_castsi512_ps(_mm512_and_si512(bits, high))};
}
#else
using Lanes = __m256;
constexpr int kParts = 2;
LATHE_INLINE Lanes lanes_of(float x) { return _mm256_set1_ps(x); }
LATHE_INLINE Lanes load_lanes(const float* p) { return _mm256_loadu_ps(p); }
LATHE_INLINE void store_lanes(float* p, Lanes x) { _mm256_storeu_ps(p, x); }
LATHE_INLINE Lanes mul_add(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
LATHE_INLINE Lanes times(Lanes a, Lanes b) { return _mm256_mul_ps(a, b); }
LATHE_INLINE Lanes widen_bytes(const std::byte* p) {
  const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x));
}
template <int kOdd>
LATHE_INLINE Lanes widen_half(Lanes words) {
  const __m256i bits = _mm256_castps_si256(words);
  if constexpr (kOdd == 0) return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
  const __m256i high = _mm256_set1_epi32(static_cast<int>(0xFFFF0000u));
  return _mm256_castsi256_ps(_mm256_and_si256(bits, high));
}
#endif
constexpr int kLanes = 16 / kParts;

/// A register's worth of each step of a panel. lanes<kOdd>(t): that of step t (kOdd: t % 2).
struct F32Part {
  static constexpr Index kBytes = 4 * kLanes;  // of a step
  const float* data;

  template <int kOdd>
  LATHE_INLINE Lanes lanes(Index t) const {
    return load_lanes(data + t * 16);
  }
};

struct Bf16Part {
  static constexpr Index kBytes = 2 * kLanes;
  const float* data;

  template <int kOdd>
  LATHE_INLINE Lanes lanes(Index t) const {
    return widen_half<kOdd>(load_lanes(data + (t >> 1) * 16));
  }
};

/// Keys: a scale for each lane and 32 steps.
struct Q8KeyPart {
  static constexpr Index kBytes = kLanes;
  const std::byte* data;
  const float* scales;

  template <int kOdd>
  LATHE_INLINE Lanes lanes(Index t) const {
    static_assert(kKvScaled == 32);
    return times(widen_bytes(data + t * 16), load_lanes(scales + (t >> 5) * 16));
  }
};

/// Values: a scale for each step.
struct Q8ValuePart {
  static constexpr Index kBytes = kLanes;
  const std::byte* data;
  const float* scales;

  template <int kOdd>
  LATHE_INLINE Lanes lanes(Index t) const {
    return times(widen_bytes(data + t * 16), lanes_of(scales[t]));
  }
};

/// c[r][..] = chain over steps t ascending of fma(a[r][t], panels at t, .), from 0.
struct PageChains {
  const float* a;
  Index lda;
  Range steps;
  float* c;
  Index ldc;
  const std::byte* ahead;  // to be fetched on the way
};

/// R rows and N registers. Sums, the smaller of both sides and one of the other stay in registers.
template <typename Part, int R, int N>
struct PageTile {
  const PageChains& x;
  Part part[N];
  Lanes sum[R][N];

  template <int kOdd>
  LATHE_INLINE void step(Index t) {
    if constexpr (R <= N + 1) {
      Lanes left[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) left[r] = lanes_of(x.a[r * x.lda + t]);
#pragma GCC unroll 8
      for (int i = 0; i < N; ++i) {
        const Lanes right = part[i].template lanes<kOdd>(t);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) sum[r][i] = mul_add(left[r], right, sum[r][i]);
      }
    } else {
      Lanes right[N];
#pragma GCC unroll 8
      for (int i = 0; i < N; ++i) right[i] = part[i].template lanes<kOdd>(t);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const Lanes left = lanes_of(x.a[r * x.lda + t]);
#pragma GCC unroll 8
        for (int i = 0; i < N; ++i) sum[r][i] = mul_add(left, right[i], sum[r][i]);
      }
    }
  }

  /// Fetches the share of steps t and t + 1 of what the registers take.
  LATHE_INLINE void fetch(Index t) {
    constexpr Index kBytes = 2 * N * Part::kBytes;
    if (x.ahead == nullptr) return;
    const std::byte* line = x.ahead + (t >> 1) * kBytes;
#pragma GCC unroll 8
    for (Index at = 0; at < kBytes; at += 64) __builtin_prefetch(line + at, 0, 3);
  }

  LATHE_INLINE void run() {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int i = 0; i < N; ++i) sum[r][i] = lanes_of(0.0f);
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
      for (int i = 0; i < N; ++i) store_lanes(x.c + r * x.ldc + i * kLanes, sum[r][i]);
  }
};

/// Registers side by side for R rows. On AVX2 widening needs some of the sixteen.
template <typename Part>
constexpr int page_registers(int rows) {
#if defined(__AVX512F__)
  return rows == 1 ? 8 : 4;
#else
  if (std::is_same_v<Part, F32Part> && rows <= 3) return rows == 1 ? 8 : 4;
  return rows == 1 ? 6 : rows == 2 ? 4 : rows == 3 ? 3 : 2;
#endif
}

/// Chains of R rows over `panels` panels; part(i): their register i, ahead(i): what to fetch while
/// those from it on are read.
template <int R, typename PartOf, typename Ahead>
void page_rows(PageChains x, int panels, const PartOf& part, const Ahead& ahead) {
  float* const c = x.c;
  const int count = panels * kParts;
  int i = 0;
  const auto tiles = [&]<int N>(std::integral_constant<int, N>, const auto& next) {
    for (; i + N <= count; i += N) {
      x.c = c + i * kLanes;
      x.ahead = ahead(i);
      PageTile<decltype(part(0)), R, N> tile{x, {}, {}};
      for (int k = 0; k < N; ++k) tile.part[k] = part(i + k);
      tile.run();
    }
    if constexpr (N > 1) next(std::integral_constant<int, (N > 4 ? 4 : N - 1)>(), next);
  };
  tiles(std::integral_constant<int, page_registers<decltype(part(0))>(R)>(), tiles);
}

template <typename PartOf, typename Ahead>
void page_chain(const PageChains& x, int rows, int panels, const PartOf& part, const Ahead& ahead) {
  switch (rows) {
    case 1:
      return page_rows<1>(x, panels, part, ahead);
    case 2:
      return page_rows<2>(x, panels, part, ahead);
    case 3:
      return page_rows<3>(x, panels, part, ahead);
    case 4:
      return page_rows<4>(x, panels, part, ahead);
    case 5:
      return page_rows<5>(x, panels, part, ahead);
    default:
      return page_rows<6>(x, panels, part, ahead);
  }
}

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
