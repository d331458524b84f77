#include "bench/peak.h"

#include <immintrin.h>

#include <algorithm>
#include <ctime>

// g++ 12 warns of uninitialised values inside its own AVX-512 headers.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace lathe::bench {
namespace {

constexpr long kSteps = 2'000'000;
constexpr int kChains = 12;

// Twelve independent chains hide the latency of every processor in question. The empty asm keeps
// the compiler from folding the loop.
__attribute__((target("avx2,fma"))) double run_avx2() {
  __m256 sums[kChains];
  for (auto& s : sums) s = _mm256_set1_ps(1e-3f);
  const __m256 b = _mm256_set1_ps(0.999f), c = _mm256_set1_ps(1e-4f);
  for (long i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (auto& s : sums) {
      s = _mm256_fmadd_ps(s, b, c);
      asm volatile("" : "+x"(s));
    }
  }
  return kSteps * kChains * 16.0;
}

__attribute__((target("avx512f"))) double run_avx512() {
  __m512 sums[kChains];
  for (auto& s : sums) s = _mm512_set1_ps(1e-3f);
  const __m512 b = _mm512_set1_ps(0.999f), c = _mm512_set1_ps(1e-4f);
  for (long i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (auto& s : sums) {
      s = _mm512_fmadd_ps(s, b, c);
      asm volatile("" : "+v"(s));
    }
  }
  return kSteps * kChains * 32.0;
}

__attribute__((target("avx512f,avx512bf16"))) double run_bf16() {
  __m512 sums[kChains];
  for (auto& s : sums) s = _mm512_set1_ps(1e-3f);
  const auto b = (__m512bh)_mm512_set1_epi16(0x3C00);
  for (long i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (auto& s : sums) {
      s = _mm512_dpbf16_ps(s, b, b);
      asm volatile("" : "+v"(s));
    }
  }
  return kSteps * kChains * 64.0;
}

/// Processor time of this thread.
double thread_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace

double peak_gflops(kernels::Isa level, bool bf16) {
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const double start = thread_seconds();
    const double operations = bf16 && level == kernels::Isa::avx512_bf16 ? run_bf16()
                              : level >= kernels::Isa::avx512            ? run_avx512()
                                                                         : run_avx2();
    best = std::max(best, 1e-9 * operations / (thread_seconds() - start));
  }
  return best;
}

}  // namespace lathe::bench
