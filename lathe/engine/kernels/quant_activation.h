// How activations are quantised: per token, in blocks of 32 elements whatever the weights' blocks
// are. Finer than llama.cpp's 256 for K-quants, and the scale stays f32: what is lost is the
// rounding of x to 255 steps of its block.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "lathe/engine/kernels/math.h"

namespace lathe::kernels {

constexpr int kActivationBlock = 32;

/// Scale of a block and the factor that maps it to [-127, 127]; q = round(x * factor), ties to
/// even.
struct ActivationScale {
  float scale, factor;
};

/// From the bits of the largest |x| of the block. A NaN or infinity makes the scale NaN and every q
/// 0 (the result is NaN, whatever the weights); below 2^-100 the block is zero.
LATHE_INLINE ActivationScale activation_scale(std::uint32_t magnitude_bits) {
  if (magnitude_bits >= 0x7F800000u) return {std::numeric_limits<float>::quiet_NaN(), 0.0f};
  const float largest = std::bit_cast<float>(magnitude_bits);
  if (largest < 0x1p-100f) return {0.0f, 0.0f};
  return {largest / 127.0f, 127.0f / largest};
}

}  // namespace lathe::kernels
