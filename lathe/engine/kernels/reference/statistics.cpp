#include "lathe/engine/kernels/statistics.h"

#include <cmath>

#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

constexpr std::int64_t kBlock = 4096;

template <typename T>
double squares(const View& x) {
  double total = 0;
  for (std::int64_t begin = 0; begin < x.count(); begin += kBlock) {
    const std::int64_t n = x.count() - begin < kBlock ? x.count() - begin : kBlock;
    const T block = lane_sum<T>(n, [&](T s, std::int64_t i) {
      const T v = get<T>(x, begin + i);
      return fma(v, v, s);
    });
    total += static_cast<double>(block);
  }
  return total;
}

template <typename T>
bool ranks_above(T a, T b) {
  return a > b || (a != a && b == b);
}

template <typename T>
void largest_of_rows(const ArgmaxArgs& a) {
  for (std::int64_t r = 0; r < rows_of(a.x); ++r) {
    const Row<T> x(a.x, r);
    std::int64_t best = columns_of(a.x) > 0 ? 0 : -1;
    for (std::int64_t i = 1; i < columns_of(a.x); ++i)
      if (ranks_above(x[i], x[best])) best = i;
    a.index.as<std::int32_t>()[r] = static_cast<std::int32_t>(best);
  }
}

/// Selection: the largest not yet taken, K times.
template <typename T>
void top_of_rows(const TopKArgs& a) {
  const std::int64_t columns = columns_of(a.x), wanted = columns_of(a.values);
  for (std::int64_t r = 0; r < rows_of(a.x); ++r) {
    const Row<T> x(a.x, r);
    const std::int32_t* taken = a.indices.as<std::int32_t>() + r * wanted;
    const auto is_taken = [&](std::int64_t i, std::int64_t count) {
      for (std::int64_t k = 0; k < count; ++k)
        if (taken[k] == i) return true;
      return false;
    };
    for (std::int64_t k = 0; k < wanted; ++k) {
      std::int64_t best = -1;
      for (std::int64_t i = 0; i < columns; ++i)
        if (!is_taken(i, k) && (best < 0 || ranks_above(x[i], x[best]))) best = i;
      put(a.values, r * wanted + k, best < 0 ? -infinity<T>() : x[best]);
      a.indices.as<std::int32_t>()[r * wanted + k] = static_cast<std::int32_t>(best);
    }
  }
}

}  // namespace

void sum_of_squares(const SumOfSquaresArgs& args) noexcept {
  *args.result = args.x.dtype == DType::f64 ? squares<double>(args.x) : squares<float>(args.x);
}

void count_nonfinite(const CountNonfiniteArgs& args) noexcept {
  *args.result = 0;
  for (std::int64_t i = 0; i < args.x.count(); ++i)
    *args.result += !std::isfinite(get<double>(args.x, i));
}

void argmax(const ArgmaxArgs& args) noexcept {
  args.x.dtype == DType::f64 ? largest_of_rows<double>(args) : largest_of_rows<float>(args);
}

void top_k(const TopKArgs& args) noexcept {
  args.x.dtype == DType::f64 ? top_of_rows<double>(args) : top_of_rows<float>(args);
}

}  // namespace lathe::kernels::reference
