// The product on pairs of bf16. Compiled with AVX512-BF16, and once more for the tests with SIMDe's
// emulation of the instruction.
#include "lathe/engine/kernels/cpu/matmul_driver.h"

#ifdef LATHE_SIMDE
#include <simde/x86/avx512.h>
#endif

namespace lathe::kernels::LATHE_ISA {
namespace {

/// Two bf16 a word, added to f32 sums as vdpbf16ps does: the odd product, then the even one.
struct Bf16Pairs {
  static constexpr bool kPairs = true;

#ifndef LATHE_SIMDE
  static F32x16 mul_add(F32x16 a, F32x16 b, F32x16 sum) {
    return {_mm512_dpbf16_ps(sum.v, (__m512bh)a.v, (__m512bh)b.v)};
  }
#else
  static __m256 half(__m256 a, __m256 b, __m256 sum) {
    simde__m256bh x, y;
    std::memcpy(&x, &a, sizeof x);
    std::memcpy(&y, &b, sizeof y);
    return simde_mm256_dpbf16_ps(sum, x, y);
  }
  static F32x16 mul_add(F32x16 a, F32x16 b, F32x16 sum) {
    return {half(a.lo, b.lo, sum.lo), half(a.hi, b.hi, sum.hi)};
  }
#endif
};

}  // namespace

void matmul(const MatmulArgs& args) noexcept {
  const Product<Bf16Pairs> product(args);
  if (args.workspace_bytes < product.workspace_bytes()) return reference::matmul_bf16_pairs(args);
  product.run();
}

std::int64_t matmul_workspace(const MatmulArgs& args) noexcept {
  return Product<Bf16Pairs>(args).workspace_bytes();
}

}  // namespace lathe::kernels::LATHE_ISA
