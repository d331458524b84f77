// How activations are quantised: per token, in blocks of 32 elements whatever the weights' blocks
// are, as ggml quantises them to Q8_0 and Q8_1 for weights in blocks of 32 (finer than its 256 for
// K-quants). The scale is rounded to f16 as there: a text is then continued as llama.cpp continues
// it (docs/decisions/0012).
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "lathe/engine/kernels/float16.h"
#include "lathe/engine/kernels/math.h"

namespace lathe::kernels {

constexpr int kActivationBlock = 32;

/// Scale of a block and the factor that maps it to [-127, 127]; q = round(x * factor), ties to
/// even. The factor is that of the scale before it was rounded.
struct ActivationScale {
  float scale, factor;
};

/// From the bits of the largest |x| of the block. A NaN or infinity makes the scale NaN and every q
/// 0 (the result is NaN, whatever the weights); below 2^-100 the block is zero. A scale that f16
/// holds only as a subnormal or not at all stays f32.
LATHE_INLINE ActivationScale activation_scale(std::uint32_t magnitude_bits) {
  if (magnitude_bits >= 0x7F800000u) return {std::numeric_limits<float>::quiet_NaN(), 0.0f};
  const float largest = std::bit_cast<float>(magnitude_bits);
  if (largest < 0x1p-100f) return {0.0f, 0.0f};
  const float scale = largest / 127.0f;
  const bool is_normal = scale >= 0x1p-14f && scale <= 65504.0f;
  return {is_normal ? to_f32(to_f16(scale)) : scale, 127.0f / largest};
}

}  // namespace lathe::kernels
