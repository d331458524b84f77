#include "lathe/engine/kernels/cross_entropy.h"

#include <cmath>

#include "lathe/engine/kernels/cpu/lanes.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

/// z = x.
struct NoCap {
  static constexpr bool kCaps = false;
  template <typename V>
  V apply(V x) const {
    return x;
  }
  template <typename V>
  V chain(V, V gradient) const {
    return gradient;
  }
};

/// z = cap * tanh(x / cap).
struct SoftCap {
  static constexpr bool kCaps = true;
  float cap, inverse;
  template <typename V>
  V apply(V x) const {
    return constant<V>(cap) * tanh(x * constant<V>(inverse));
  }
  template <typename V>
  V chain(V x, V gradient) const {
    const V t = tanh(x * constant<V>(inverse));
    return gradient * fma(-t, t, constant<V>(1.0));
  }
};

void without_loss(const CrossEntropyArgs& a, std::int64_t r, float nll) {
  a.nll.as<float>()[r] = nll;
  if (!a.lse.empty()) a.lse.as<float>()[r] = 0.0f;
  if (a.dlogits.empty()) return;
  const Row out(a.dlogits, r);
  each16(columns_of(a.logits), [&](std::int64_t i, auto n) { out.set(i, zero(), n); });
}

template <typename Cap>
void one_row(const CrossEntropyArgs& a, std::int64_t r, const Cap& cap) {
  const std::int64_t vocabulary = columns_of(a.logits);
  const std::int32_t target = a.targets.as<std::int32_t>()[r];
  if (target == -1) return without_loss(a, r, 0.0f);
  if (target < 0 || target >= vocabulary) return without_loss(a, r, NAN);

  const Row x(a.logits, r);
  const float top =
      lane_max(vocabulary, [&](std::int64_t i, auto n) { return cap.apply(x.at(i, n)); });
  const F32x16 tops = splat(top);
  const float at_target = x.one(target);
  const Row out(a.dlogits, r);
  // An f32 gradient first holds the exponentials, so that they are computed once; with a cap the
  // logits are needed again and may be what is overwritten.
  const bool keeps = !a.dlogits.empty() && !out.half && !Cap::kCaps;
  const float sum = lane_sum(vocabulary, [&](F32x16 s, std::int64_t i, auto n) {
    const F32x16 e = exp(cap.apply(x.at(i, n)) - tops);
    if (keeps) out.set(i, e, n);
    return s + e;
  });
  const float log_sum = log(sum), lse = top + log_sum;
  a.nll.as<float>()[r] = log_sum + (top - cap.apply(at_target));
  if (!a.lse.empty()) a.lse.as<float>()[r] = lse;
  if (a.dlogits.empty()) return;

  const float weight = a.weights.empty() ? 1.0f : a.weights.as<float>()[r];
  const float scale = (weight * fma(2.0f * a.z_loss, lse, 1.0f)) * (1.0f / sum);
  const F32x16 scales = splat(scale);
  each16(vocabulary, [&](std::int64_t i, auto n) {
    if (keeps) return out.set(i, out.at(i, n) * scales, n);
    const F32x16 v = x.at(i, n);
    out.set(i, cap.chain(v, exp(cap.apply(v) - tops) * scales), n);
  });
  const float p = exp(cap.apply(at_target) - top) * scale;
  out.set_one(target, cap.chain(at_target, p - weight));
}

template <typename Cap>
void each_row(const CrossEntropyArgs& a, const Cap& cap) {
  parallel_for(rows_of(a.logits), row_grain(columns_of(a.logits)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t r = begin; r < end; ++r) one_row(a, r, cap);
               });
}

}  // namespace

void cross_entropy(const CrossEntropyArgs& args) noexcept {
  if (args.logits.dtype == DType::f64) return reference::cross_entropy(args);
  if (args.soft_cap > 0.0f) {
    each_row(args, SoftCap{args.soft_cap, 1.0f / args.soft_cap});
  } else {
    each_row(args, NoCap{});
  }
}

}  // namespace lathe::kernels::LATHE_ISA
