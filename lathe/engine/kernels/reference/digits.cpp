#include "lathe/engine/kernels/digits.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "lathe/engine/kernels/quant_activation.h"
#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {

void split_digits(const SplitDigitsArgs& args) noexcept {
  const std::int64_t tokens = rows_of(args.x);
  for (std::int64_t m = 0; m < tokens; ++m) {
    const Row<float> x(args.x, m), first(args.split, m), second(args.split, tokens + m);
    for (std::int64_t k = 0; k < columns_of(args.x); k += kActivationBlock) {
      std::uint32_t largest = 0;
      for (int i = 0; i < kActivationBlock; ++i)
        largest = std::max(largest, std::bit_cast<std::uint32_t>(x[k + i]) & 0x7FFFFFFFu);
      const ActivationScale s = activation_scale(largest);
      for (std::int64_t i = k; i < k + kActivationBlock; ++i) {
        const float q = s.factor != 0 ? std::nearbyint(x[i] * s.factor) : 0.0f;
        first.set(i, x[i]);
        second.set(i, std::fma(-s.scale, q, x[i]));
      }
    }
  }
}

void add_digits(const AddDigitsArgs& args) noexcept {
  const std::int64_t tokens = rows_of(args.y);
  for (std::int64_t m = 0; m < tokens; ++m) {
    const Row<float> first(args.sums, m), second(args.sums, tokens + m), y(args.y, m);
    for (std::int64_t n = 0; n < columns_of(args.y); ++n) {
      const float sum = first[n] + second[n];
      y.set(n, args.bias.empty() ? sum : sum + get<float>(args.bias, n * args.bias.strides[0]));
    }
  }
}

}  // namespace lathe::kernels::reference
