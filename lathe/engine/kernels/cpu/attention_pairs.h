// Attention on pairs of bf16, for processors that multiply them (AVX512-BF16).
//
// The definition of kernels/attention.h with these changes: a step of a chain takes a pair,
// vdpbf16ps(sum, a, b): sum + a1 b1 + a0 b0 as the processor rounds it.
//   score, dp   pairs (2t, 2t + 1) of the head size
//   values, dq  p and ds rounded to bf16 (l is summed before); pairs of keys counted from the
//               document's start
//   dk, dv      p and ds rounded to bf16; pairs of rows counted from the document's start: row
//               (p_i - start) * G + head of the group
// A unit that is not there or not visible is zero on both sides of its pair; a pair without a
// visible unit is left out.
#pragma once

#include "lathe/engine/kernels/cpu/attention_tiles.h"

#ifdef LATHE_SIMDE
#include <simde/x86/avx512.h>
#endif

namespace lathe::kernels::LATHE_ISA::attention_parts {

/// Words of two bf16.
struct Bf16Words {
  static constexpr Index kUnits = 2;

#ifndef LATHE_SIMDE
  static LATHE_INLINE F32x16 mul_add(F32x16 a, F32x16 b, F32x16 sum) {
    return {_mm512_dpbf16_ps(sum.v, (__m512bh)a.v, (__m512bh)b.v)};
  }
  /// A subnormal becomes zero, which is what the product would make of it.
  static LATHE_INLINE void put(float* row, int v, F32x16 x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(row) + v, (__m256i)_mm512_cvtneps_pbh(x.v));
  }
#else
  static __m256 half(__m256 a, __m256 b, __m256 sum) {
    simde__m256bh x, y;
    __builtin_memcpy(&x, &a, sizeof x);
    __builtin_memcpy(&y, &b, sizeof y);
    return simde_mm256_dpbf16_ps(sum, x, y);
  }
  static F32x16 mul_add(F32x16 a, F32x16 b, F32x16 sum) {
    return {half(a.lo, b.lo, sum.lo), half(a.hi, b.hi, sum.hi)};
  }
  static void put(float* row, int v, F32x16 x) {
    narrow(reinterpret_cast<bf16_t*>(row) + 16 * v, x);
  }
#endif
};

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
