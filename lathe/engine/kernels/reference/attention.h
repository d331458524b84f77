// The parts that the forward and backward reference loops of attention share.
#pragma once

#include "lathe/engine/kernels/attention_shape.h"

namespace lathe::kernels::reference::attention_parts {

/// Element i of a view's data, widened to T.
template <typename T>
inline T read(const View& v, std::int64_t i) {
  if constexpr (sizeof(T) == 8) {
    return v.as<double>()[i];
  } else {
    return v.dtype == DType::bf16 ? to_f32(v.as<bf16_t>()[i]) : v.as<float>()[i];
  }
}

template <typename T>
inline void write(const View& v, std::int64_t i, T x) {
  if constexpr (sizeof(T) == 8) {
    v.as<double>()[i] = x;
  } else if (v.dtype == DType::bf16) {
    v.as<bf16_t>()[i] = to_bf16(x);
  } else {
    v.as<float>()[i] = x;
  }
}

/// x = 0; for d ascending: x = fma(a[d], b[d], x).
template <typename T>
inline T chain(const View& a, std::int64_t at_a, const View& b, std::int64_t at_b) {
  T x = 0;
  for (std::int64_t d = 0; d < a.dims[3]; ++d)
    x = fma(read<T>(a, at_a + d), read<T>(b, at_b + d), x);
  return x;
}

/// Scaled and capped score of one query and one key (element offsets).
template <typename T>
inline T score(const AttentionArgs& a, std::int64_t q, std::int64_t k) {
  const T s = chain<T>(a.q, q, a.k, k) * static_cast<T>(a.scale);
  if (a.soft_cap == 0.0f) return s;
  const T cap = static_cast<T>(a.soft_cap);
  return cap * tanh(s / cap);
}

/// Lanes 8 to 15 onto 0 to 7, then 4, 2, 1.
template <typename T>
inline T add_tree(T (&lanes)[16]) {
  for (int half = 8; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] = lanes[l] + lanes[l + half];
  return lanes[0];
}

}  // namespace lathe::kernels::reference::attention_parts
