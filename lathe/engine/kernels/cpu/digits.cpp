#include "lathe/engine/kernels/digits.h"

#include "lathe/engine/kernels/cpu/lanes.h"
#include "lathe/engine/kernels/cpu/quant_vec.h"
#include "lathe/engine/kernels/quant_activation.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

void split_block(F32x16 a, F32x16 b, float* first, float* second) {
  const I32x16 magnitude = splat_i32(0x7FFFFFFF);
  const I32x16 largest = max_i32(bits_of(a) & magnitude, bits_of(b) & magnitude);
  const ActivationScale s = activation_scale(static_cast<std::uint32_t>(max_lane_i32(largest)));
  const auto rest = [&](F32x16 x) {
    const F32x16 q = s.factor != 0 ? to_float(to_int(x * splat(s.factor))) : zero();
    return fma(splat(-s.scale), q, x);
  };
  store(first, a);
  store(first + 16, b);
  store(second, rest(a));
  store(second + 16, rest(b));
}

}  // namespace

void split_digits(const SplitDigitsArgs& args) noexcept {
  const std::int64_t tokens = rows_of(args.x), columns = columns_of(args.x);
  parallel_pieces(tokens, columns, [&](std::int64_t m, std::int64_t begin, std::int64_t end) {
    const Row x(args.x, m);
    float* first = args.split.as<float>() + m * columns;
    float* second = first + tokens * columns;
    for (std::int64_t i = begin; i < end; i += kActivationBlock)
      split_block(x.at(i, Full{}), x.at(i + 16, Full{}), first + i, second + i);
  });
}

void add_digits(const AddDigitsArgs& args) noexcept {
  const std::int64_t tokens = rows_of(args.y), columns = columns_of(args.y);
  parallel_pieces(tokens, columns, [&](std::int64_t m, std::int64_t begin, std::int64_t end) {
    const Row first(args.sums, m), second(args.sums, tokens + m), y(args.y, m), bias(args.bias);
    each16(end - begin, [&](std::int64_t i, auto n) {
      const std::int64_t at = begin + i;
      const F32x16 sum = first.at(at, n) + second.at(at, n);
      y.set(at, bias.present() ? sum + bias.at(at, n) : sum, n);
    });
  });
}

}  // namespace lathe::kernels::LATHE_ISA
