// The parts that the reference loops of attention share.
#pragma once

#include <limits>

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

/// What a block of keys, or the blocks so far, say of one query.
template <typename T>
struct Partial {
  T max, sum;
  T values[kMaxHeadSize];
};

/// keys.score(j): scaled and capped score of key j; keys.value(j, d): element of its value.
template <typename T, typename Keys>
void block_partial(const Keys& keys, attention_detail::Range part, std::int64_t origin,
                   std::int64_t size, Partial<T>& out) {
  T p[kAttentionBlock];
  out.max = -std::numeric_limits<T>::infinity();
  for (std::int64_t j = part.begin; j < part.end; ++j) {
    p[j - part.begin] = keys.score(j);
    out.max = max(out.max, p[j - part.begin]);
  }
  T lanes[16] = {};
  for (std::int64_t j = part.begin; j < part.end; ++j) {
    p[j - part.begin] = exp(p[j - part.begin] - out.max);
    lanes[(j - origin) % 16] += p[j - part.begin];
  }
  out.sum = add_tree(lanes);
  for (std::int64_t d = 0; d < size; ++d) {
    T x = 0;
    for (std::int64_t j = part.begin; j < part.end; ++j)
      x = fma(p[j - part.begin], keys.value(j, d), x);
    out.values[d] = x;
  }
}

template <typename T>
void merge(Partial<T>& state, const Partial<T>& block, std::int64_t size) {
  const T top = max(state.max, block.max);
  const T a = exp(state.max - top), c = exp(block.max - top);
  state.sum = fma(c, block.sum, a * state.sum);
  for (std::int64_t d = 0; d < size; ++d)
    state.values[d] = fma(c, block.values[d], a * state.values[d]);
  state.max = top;
}

/// The partials of all blocks of the visible keys merged; false: no key is visible.
template <typename T, typename Keys>
bool attend(const Keys& keys, attention_detail::Range seen, std::int64_t start, std::int64_t size,
            Partial<T>& state) {
  using namespace attention_detail;
  Partial<T> block;
  bool any = false;
  for (Index origin = start; origin < seen.end; origin += kAttentionBlock) {
    const Range part{larger(origin, seen.begin), smaller(origin + kAttentionBlock, seen.end)};
    if (part.begin >= part.end) continue;
    block_partial(keys, part, origin, size, any ? block : state);
    if (any) merge(state, block, size);
    any = true;
  }
  return any;
}

}  // namespace lathe::kernels::reference::attention_parts
