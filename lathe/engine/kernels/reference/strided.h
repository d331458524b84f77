// How reference kernels walk views of any strides: element k of the output in row-major order and
// the offsets that belong to it. Only reference/*.cpp include this file.
#pragma once

#include <cmath>
#include <cstdint>

#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {

/// Offset in v of the element with row-major index k in a shape; v is aligned at the right and its
/// dimensions of size 1 are repeated.
inline std::int64_t offset_in(const View& v, const View& shape, std::int64_t k) {
  std::int64_t offset = 0;
  for (int d = shape.rank - 1; d >= 0; --d) {
    const std::int64_t index = k % shape.dims[d];
    k /= shape.dims[d];
    const int own = d - (shape.rank - v.rank);
    if (own >= 0 && v.dims[own] != 1) offset += index * v.strides[own];
  }
  return offset;
}

inline bool is_integer(const View& v) { return !is_float(v.dtype); }

/// Any type as a double, exactly.
inline double read(const View& v, std::int64_t offset) {
  switch (v.dtype) {
    case DType::i32:
      return v.as<std::int32_t>()[offset];
    case DType::i8:
      return v.as<std::int8_t>()[offset];
    case DType::u8:
      return v.as<std::uint8_t>()[offset];
    case DType::boolean:
      return v.as<std::uint8_t>()[offset] != 0;
    default:
      return get<double>(v, offset);
  }
}
inline std::int64_t read_integer(const View& v, std::int64_t offset) {
  return static_cast<std::int64_t>(read(v, offset));
}

/// Towards zero, held inside [low, high], NaN to 0.
template <typename T>
T to_integer(double x) {
  constexpr double kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
  if (x != x) return 0;
  return static_cast<T>(x < kLow ? kLow : x > kHigh ? kHigh : std::trunc(x));
}

/// Stores x converted to the type of v as CastArgs says.
inline void write(const View& v, std::int64_t offset, double x) {
  switch (v.dtype) {
    case DType::i32:
      v.as<std::int32_t>()[offset] = to_integer<std::int32_t>(x);
      break;
    case DType::i8:
      v.as<std::int8_t>()[offset] = to_integer<std::int8_t>(x);
      break;
    case DType::u8:
      v.as<std::uint8_t>()[offset] = to_integer<std::uint8_t>(x);
      break;
    case DType::boolean:
      v.as<std::uint8_t>()[offset] = x != 0;
      break;
    default:
      put(v, offset, x);
      break;
  }
}

/// Stores x modulo 2^bits.
inline void write_integer(const View& v, std::int64_t offset, std::int64_t x) {
  switch (v.dtype) {
    case DType::i32:
      v.as<std::int32_t>()[offset] = static_cast<std::int32_t>(x);
      break;
    case DType::i8:
      v.as<std::int8_t>()[offset] = static_cast<std::int8_t>(x);
      break;
    case DType::u8:
      v.as<std::uint8_t>()[offset] = static_cast<std::uint8_t>(x);
      break;
    default:
      write(v, offset, static_cast<double>(x));
      break;
  }
}

}  // namespace lathe::kernels::reference
