// The plain loops that define products with quantised weights. Slow on purpose.
#include "lathe/engine/kernels/linear_quantised.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "lathe/engine/kernels/quant_activation.h"
#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

/// Row n of the weights, block after block.
template <typename Visit>
void each_block(const LinearQuantisedArgs& a, std::int64_t n, const Visit& visit) {
  const std::int64_t bytes = a.blocks.dims[1];
  const auto* p = a.blocks.as<const std::uint8_t>() + n * bytes;
  DecodedBlock block;
  std::int64_t k = 0;
  for (const auto* end = p + bytes; p < end; p += block_bytes(a.type)) {
    decode_block(a.type, p, block);
    visit(k, block);
    k += block_elements(a.type);
  }
}

/// Element i of a block, as dequantise_row gives it.
float value(QuantType type, const DecodedBlock& block, int i) {
  const int g = i / scale_group(type);
  const float x = block.scale[g] * static_cast<float>(block.q[i]);
  return has_minimum(type) ? x + block.minimum[g] : x;
}

template <typename T>
T exact_sum(const LinearQuantisedArgs& a, std::int64_t m, std::int64_t n) {
  const Row<T> x(a.x, m);
  T sum = 0;
  each_block(a, n, [&](std::int64_t k, const DecodedBlock& block) {
    for (int i = 0; i < block_elements(a.type); ++i)
      sum = std::fma(x[k + i], static_cast<T>(value(a.type, block, i)), sum);
  });
  return sum;
}

/// 32 activations.
struct Activation {
  int q[kActivationBlock];
  float scale;
};

Activation quantise(const std::array<float, kActivationBlock>& x) {
  std::uint32_t largest = 0;
  for (const float value : x)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFu);
  const ActivationScale s = activation_scale(largest);
  Activation out{{}, s.scale};
  if (s.factor != 0)
    for (std::size_t i = 0; i < x.size(); ++i)
      out.q[i] = static_cast<int>(std::nearbyint(x[i] * s.factor));
  return out;
}

/// Digit 0 or 1 of elements k to k + 31.
Activation quantise(const Row<float>& row, std::int64_t k, int digit) {
  std::array<float, kActivationBlock> x;
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = row[k + static_cast<std::int64_t>(i)];
  const Activation first = quantise(x);
  if (digit == 0) return first;
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = std::fma(-first.scale, static_cast<float>(first.q[i]), x[i]);
  return quantise(x);
}

float integer_sum(const LinearQuantisedArgs& a, std::int64_t m, std::int64_t n, int digit = 0) {
  const Row<float> row(a.x, m);
  const int group = scale_group(a.type);
  float sum = 0;
  each_block(a, n, [&](std::int64_t k, const DecodedBlock& block) {
    Activation x{};
    for (int first = 0; first < block_elements(a.type); first += group) {
      if (first % kActivationBlock == 0) x = quantise(row, k + first, digit);
      int products = 0, total = 0;
      for (int i = 0; i < group; ++i) {
        const int q = x.q[(first + i) % kActivationBlock];
        products += block.q[first + i] * q;
        total += q;
      }
      const int g = first / group;
      sum = std::fma(block.scale[g] * x.scale, static_cast<float>(products), sum);
      if (has_minimum(a.type))
        sum = std::fma(block.minimum[g], x.scale * static_cast<float>(total), sum);
    }
  });
  return sum;
}

template <typename T, typename Sum>
void for_each_output(const LinearQuantisedArgs& a, const Sum& sum) {
  for (std::int64_t m = 0; m < rows_of(a.y); ++m) {
    const Row<T> y(a.y, m);
    for (std::int64_t n = 0; n < columns_of(a.y); ++n) {
      const T s = sum(m, n);
      y.set(n, a.bias.empty() ? s : s + get<T>(a.bias, n * a.bias.strides[0]));
    }
  }
}

template <typename T>
void back(const LinearQuantisedArgs& a) {
  for (std::int64_t m = 0; m < rows_of(a.y); ++m) {
    const Row<T> x(a.x, m), y(a.y, m);
    for (std::int64_t k = 0; k < columns_of(a.y); ++k) y.set(k, T{0});
    for (std::int64_t n = 0; n < rows_of(a.blocks); ++n) {
      each_block(a, n, [&](std::int64_t k, const DecodedBlock& block) {
        for (int i = 0; i < block_elements(a.type); ++i)
          y.set(k + i, std::fma(x[n], static_cast<T>(value(a.type, block, i)), y[k + i]));
      });
    }
  }
}

}  // namespace

void linear_quantised(const LinearQuantisedArgs& args) noexcept {
  if (args.y.dtype == DType::f64) {
    for_each_output<double>(args, [&](auto m, auto n) { return exact_sum<double>(args, m, n); });
  } else if (args.exact) {
    for_each_output<float>(args, [&](auto m, auto n) { return exact_sum<float>(args, m, n); });
  } else {
    for_each_output<float>(args, [&](auto m, auto n) { return integer_sum(args, m, n); });
  }
}

void linear_in_two_digits(const LinearQuantisedArgs& args) noexcept {
  for_each_output<float>(args, [&](auto m, auto n) {
    const float first = integer_sum(args, m, n, 0);
    return first + integer_sum(args, m, n, 1);
  });
}

void linear_quantised_back(const LinearQuantisedArgs& args) noexcept {
  args.y.dtype == DType::f64 ? back<double>(args) : back<float>(args);
}

}  // namespace lathe::kernels::reference
