#include "lathe/engine/kernels/cross_entropy.h"

#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

template <typename T>
struct Cap {
  T cap, inverse;
  explicit Cap(float soft_cap)
      : cap(static_cast<T>(soft_cap)), inverse(soft_cap > 0 ? T{1} / cap : T{0}) {}
  T apply(T x) const { return cap > T{0} ? cap * tanh(x * inverse) : x; }
  T chain(T x, T gradient) const {
    if (!(cap > T{0})) return gradient;
    const T t = tanh(x * inverse);
    return gradient * fma(-t, t, T{1});
  }
};

template <typename T>
void without_loss(const CrossEntropyArgs& a, std::int64_t r, T nll) {
  put(a.nll, r, nll);
  if (!a.lse.empty()) put(a.lse, r, T{0});
  if (a.dlogits.empty()) return;
  for (std::int64_t i = 0; i < columns_of(a.logits); ++i) Row<T>(a.dlogits, r).set(i, T{0});
}

template <typename T>
void one_row(const CrossEntropyArgs& a, std::int64_t r) {
  const std::int64_t vocabulary = columns_of(a.logits);
  const std::int32_t target = a.targets.as<std::int32_t>()[r];
  if (target == -1) return without_loss(a, r, T{0});
  if (target < 0 || target >= vocabulary) return without_loss(a, r, constant<T>(NAN));

  const Cap<T> cap(a.soft_cap);
  const Row<T> x(a.logits, r);
  const T top = lane_max<T>(vocabulary, [&](std::int64_t i) { return cap.apply(x[i]); });
  const T sum =
      lane_sum<T>(vocabulary, [&](T s, std::int64_t i) { return s + exp(cap.apply(x[i]) - top); });
  const T lse = top + log(sum);
  put(a.nll, r, log(sum) + (top - cap.apply(x[target])));
  if (!a.lse.empty()) put(a.lse, r, lse);
  if (a.dlogits.empty()) return;

  const T weight = a.weights.empty() ? T{1} : get<T>(a.weights, r);
  const T scale = (weight * fma(T{2} * static_cast<T>(a.z_loss), lse, T{1})) * (T{1} / sum);
  for (std::int64_t i = 0; i < vocabulary; ++i) {
    const T p = exp(cap.apply(x[i]) - top) * scale;
    Row<T>(a.dlogits, r).set(i, cap.chain(x[i], i == target ? p - weight : p));
  }
}

}  // namespace

void cross_entropy(const CrossEntropyArgs& args) noexcept {
  for (std::int64_t r = 0; r < rows_of(args.logits); ++r)
    args.logits.dtype == DType::f64 ? one_row<double>(args, r) : one_row<float>(args, r);
}

}  // namespace lathe::kernels::reference
