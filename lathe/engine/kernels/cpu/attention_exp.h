// exp of several vectors in step. One exp is a long chain of dependent operations; side by side
// they fill the pipes, which the processor's own look-ahead is too short to do.
#pragma once

#include "lathe/engine/kernels/cpu/vec.h"
#include "lathe/engine/kernels/math.h"

namespace lathe::kernels::LATHE_ISA::attention_parts {

/// N vectors that kernels/math.h takes for one.
template <int N>
struct Several {
  F32x16 v[N];
};

template <int N, typename Function>
LATHE_INLINE Several<N> each(Function function) {
  Several<N> y;
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) y.v[i] = function(i);
  return y;
}

template <int N>
LATHE_INLINE Several<N> splat_like(Several<N>, float x) {
  return each<N>([&](int) { return splat(x); });
}
template <int N>
LATHE_INLINE Several<N> operator*(Several<N> a, Several<N> b) {
  return each<N>([&](int i) { return a.v[i] * b.v[i]; });
}
template <int N>
LATHE_INLINE Several<N> fma(Several<N> a, Several<N> b, Several<N> c) {
  return each<N>([&](int i) { return LATHE_ISA::fma(a.v[i], b.v[i], c.v[i]); });
}
template <int N>
LATHE_INLINE Several<N> max(Several<N> a, Several<N> b) {
  return each<N>([&](int i) { return LATHE_ISA::max(a.v[i], b.v[i]); });
}
template <int N>
LATHE_INLINE Several<N> min(Several<N> a, Several<N> b) {
  return each<N>([&](int i) { return LATHE_ISA::min(a.v[i], b.v[i]); });
}
template <int N>
LATHE_INLINE Several<N> round_even(Several<N> a) {
  return each<N>([&](int i) { return LATHE_ISA::round_even(a.v[i]); });
}
template <int N>
LATHE_INLINE Several<N> exp2_integral(Several<N> a) {
  return each<N>([&](int i) { return LATHE_ISA::exp2_integral(a.v[i]); });
}
template <int N>
LATHE_INLINE Several<N> select_less(Several<N> a, Several<N> b, Several<N> x, Several<N> y) {
  return each<N>([&](int i) { return LATHE_ISA::select_less(a.v[i], b.v[i], x.v[i], y.v[i]); });
}

/// x[i] = exp(x[i]).
template <int N>
LATHE_INLINE void exp_each(F32x16 (&x)[N]) {
#if defined(__AVX512F__)
  const Several<N> y = kernels::exp(each<N>([&](int i) { return x[i]; }));
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) x[i] = y.v[i];
#else  // too few registers for more than one
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) x[i] = kernels::exp(x[i]);
#endif
}

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
