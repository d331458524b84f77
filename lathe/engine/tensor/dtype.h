// Element types and their conversions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lathe {

/// f32 and bf16 are computed with; f64 exists for truth (reference kernels only); f16 is storage.
enum class DType : std::uint8_t { f32, bf16, f64, f16, i32, i8, u8, boolean };

constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
      return 2;
    default:
      return 1;
  }
}

constexpr bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f64 || dtype == DType::f16;
}

constexpr std::string_view name(DType dtype) {
  constexpr std::string_view kNames[] = {"f32", "bf16", "f64", "f16", "i32", "i8", "u8", "bool"};
  return kNames[static_cast<int>(dtype)];
}

/// bfloat16 as stored: the upper half of an f32.
struct bf16_t {
  std::uint16_t bits;
};

constexpr float to_f32(bf16_t x) { return std::bit_cast<float>(std::uint32_t{x.bits} << 16); }

/// Round to nearest, ties to even; NaN stays NaN (made quiet).
constexpr bf16_t to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)};
}

}  // namespace lathe
