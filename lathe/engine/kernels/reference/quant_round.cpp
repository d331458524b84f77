// Quantising by rounding to nearest: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, to the bytes of llama-quantize.
// The factor that values are multiplied by comes from the scale before it is rounded to f16.
// Source: ggml-quants.c of llama.cpp (facts).
#include <cmath>
#include <cstring>

#include "lathe/engine/kernels/float16.h"
#include "lathe/engine/kernels/reference/quant_search.h"

namespace lathe::kernels::reference {
namespace {

using Out = std::uint8_t*;

void write_f16(Out p, float x) {
  const f16_t half = to_f16(x);
  std::memcpy(p, &half, 2);
}

/// Towards zero, into [0, most]; NaN gives 0.
int whole(float x, int most) {
  if (!(x > 0)) return 0;
  return x >= static_cast<float>(most) ? most : static_cast<int>(x);
}

/// Low nibbles of elements i and i + 16 in one byte.
void write_nibbles(const int* q, Out p) {
  for (int i = 0; i < 16; ++i)
    p[i] = static_cast<std::uint8_t>((q[i] & 15) | (q[i + 16] & 15) << 4);
}

void write_fifth_bits(const int* q, Out p) {
  std::uint32_t high = 0;
  for (int i = 0; i < 32; ++i) high |= static_cast<std::uint32_t>(q[i] >> 4 & 1) << i;
  std::memcpy(p, &high, 4);
}

void q8_0(const float* x, Out p) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::fabs(x[i]) > largest ? std::fabs(x[i]) : largest;
  const float d = largest / 127.0f, factor = d != 0 ? 1.0f / d : 0.0f;
  write_f16(p, d);
  for (int i = 0; i < 32; ++i) {
    const float q = std::round(x[i] * factor);  // halves away from zero
    p[2 + i] = std::fabs(q) <= 128 ? static_cast<std::uint8_t>(static_cast<int>(q)) : 0;
  }
}

/// Symmetric types: the element of largest magnitude (the first of them) becomes -half.
void around_zero(const float* x, int half, Out p) {
  float magnitude = 0, extreme = 0;
  for (int i = 0; i < 32; ++i) {
    if (std::fabs(x[i]) > magnitude) {
      magnitude = std::fabs(x[i]);
      extreme = x[i];
    }
  }
  const float d = extreme / static_cast<float>(-half), factor = d != 0 ? 1.0f / d : 0.0f;
  const float shift = static_cast<float>(half) + 0.5f;
  int q[32];
  for (int i = 0; i < 32; ++i) q[i] = whole(x[i] * factor + shift, 2 * half - 1);
  write_f16(p, d);
  if (half == 16) write_fifth_bits(q, p + 2);
  write_nibbles(q, p + (half == 16 ? 6 : 2));
}

/// Types with a minimum: from the least element to the largest in `steps` steps.
void from_minimum(const float* x, int steps, Out p) {
  float least = x[0], most = x[0];
  for (int i = 1; i < 32; ++i) {
    if (x[i] < least) least = x[i];
    if (x[i] > most) most = x[i];
  }
  const float d = (most - least) / static_cast<float>(steps), factor = d != 0 ? 1.0f / d : 0.0f;
  int q[32];
  for (int i = 0; i < 32; ++i) q[i] = whole((x[i] - least) * factor + 0.5f, steps);
  write_f16(p, d);
  write_f16(p + 2, least);
  if (steps == 31) write_fifth_bits(q, p + 4);
  write_nibbles(q, p + (steps == 31 ? 8 : 4));
}

void quantise_block(QuantType type, const float* x, Out p) {
  switch (type) {
    case QuantType::q8_0:
      return q8_0(x, p);
    case QuantType::q4_0:
      return around_zero(x, 8, p);
    case QuantType::q5_0:
      return around_zero(x, 16, p);
    case QuantType::q4_1:
      return from_minimum(x, 15, p);
    case QuantType::q5_1:
      return from_minimum(x, 31, p);
    case QuantType::q4_k:
      return search_q4_k(x, p);
    case QuantType::q5_k:
      return search_q5_k(x, p);
    case QuantType::q6_k:
      return search_q6_k(x, p);
    default:
      std::memset(p, 0, static_cast<std::size_t>(block_bytes(type)));
  }
}

}  // namespace
}  // namespace lathe::kernels::reference

namespace lathe::kernels {

void quantise_row(QuantType type, const float* in, void* blocks, std::int64_t n) noexcept {
  auto* p = static_cast<std::uint8_t*>(blocks);
  for (std::int64_t at = 0; at < n; at += block_elements(type), p += block_bytes(type))
    reference::quantise_block(type, in + at, p);
}

}  // namespace lathe::kernels
