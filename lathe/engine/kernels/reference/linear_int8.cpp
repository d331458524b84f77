// The plain loop that defines the int8 product. Slow on purpose.
#include "lathe/engine/kernels/linear_int8.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

/// Element (row, k) of a matrix of any strides.
float element(const View& v, std::int64_t row, std::int64_t k) {
  return get<float>(v, row * v.strides[0] + k * v.strides[1]);
}

RowScale scale_of(const View& v, std::int64_t row, int most) {
  std::uint32_t largest = 0;
  for (std::int64_t k = 0; k < v.dims[1]; ++k)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(std::abs(element(v, row, k))));
  return row_scale(largest, most);
}

/// q of one element. The factor is 0 where the row has no finite scale: 0 * NaN would not do.
std::int64_t rounded(float x, const RowScale& s) {
  return s.factor == 0 ? 0 : static_cast<std::int64_t>(std::nearbyint(x * s.factor));
}

}  // namespace

void linear_int8(const LinearInt8Args& a) noexcept {
  for (std::int64_t m = 0; m < a.y.dims[0]; ++m) {
    const RowScale x = scale_of(a.x, m, kInt8Token);
    for (std::int64_t n = 0; n < a.y.dims[1]; ++n) {
      const RowScale w = scale_of(a.w, n, kInt8Weight);
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < a.x.dims[1]; ++k)
        sum += rounded(element(a.x, m, k), x) * rounded(element(a.w, n, k), w);
      float y = (x.scale * w.scale) * static_cast<float>(sum);
      if (!a.bias.empty()) y += get<float>(a.bias, n * a.bias.strides[0]);
      put(a.y, m * a.y.dims[1] + n, y);
    }
  }
}

}  // namespace lathe::kernels::reference
