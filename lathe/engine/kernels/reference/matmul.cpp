// The plain loops that define the product. Slow on purpose; any strides.
#include "lathe/engine/kernels/matmul.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace lathe::kernels::reference {
namespace {

/// Element of a view as T (float or double), by an offset in elements.
template <typename T>
T read(const View& v, std::int64_t offset) {
  switch (v.dtype) {
    case DType::bf16:
      return static_cast<T>(to_f32(v.as<bf16_t>()[offset]));
    case DType::f64:
      return static_cast<T>(v.as<double>()[offset]);
    default:
      return static_cast<T>(v.as<float>()[offset]);
  }
}

template <typename T>
void write(const View& v, std::int64_t offset, T x) {
  switch (v.dtype) {
    case DType::bf16:
      v.as<bf16_t>()[offset] = to_bf16(static_cast<float>(x));
      return;
    case DType::f64:
      v.as<double>()[offset] = static_cast<double>(x);
      return;
    default:
      v.as<float>()[offset] = static_cast<float>(x);
  }
}

struct Sizes {
  std::int64_t batch, m, n, k;
};

Sizes sizes_of(const MatmulArgs& args) {
  const int r = args.c.rank;
  return {r == 3 ? args.c.dims[0] : 1, args.c.dims[r - 2], args.c.dims[r - 1], args.a.dims[r - 1]};
}

std::int64_t offset_of(const View& v, std::int64_t batch, std::int64_t row, std::int64_t column) {
  const std::int64_t at = row * v.strides[v.rank - 2] + column * v.strides[v.rank - 1];
  return v.rank == 3 ? batch * v.strides[0] + at : at;
}

/// b[k, n], from the view or from the panels of pack_b.
template <typename T>
T read_b(const MatmulArgs& args, const Sizes& s, std::int64_t batch, std::int64_t k,
         std::int64_t n) {
  if (args.b_panels == nullptr) return read<T>(args.b, offset_of(args.b, batch, k, n));
  const std::int64_t panel = n / 16, lane = n % 16;
  if (args.b.dtype == DType::f32)
    return static_cast<T>(static_cast<const float*>(args.b_panels)[(panel * s.k + k) * 16 + lane]);
  const std::int64_t pair = panel * ((s.k + 1) / 2) + k / 2;
  const auto* panels = static_cast<const bf16_t*>(args.b_panels);
  return static_cast<T>(to_f32(panels[(pair * 16 + lane) * 2 + k % 2]));
}

/// Calls chain(batch, m, n, start) for every output, then adds the bias and stores, and goes on
/// with what is fused.
template <typename T, typename Chain>
void for_each_output(const MatmulArgs& args, const Chain& chain) {
  const Sizes s = sizes_of(args);
  for (std::int64_t batch = 0; batch < s.batch; ++batch) {
    for (std::int64_t m = 0; m < s.m; ++m) {
      for (std::int64_t n = 0; n < s.n; ++n) {
        const std::int64_t at = offset_of(args.c, batch, m, n);
        T sum = chain(batch, m, n, args.accumulate ? read<T>(args.c, at) : T(0));
        if (!args.bias.empty()) sum += read<T>(args.bias, n * args.bias.strides[0]);
        write(args.c, at, sum);
      }
    }
  }
  args.after({0, s.m, 0, s.n});
}

template <typename T>
void matmul_in(const MatmulArgs& args) {
  const Sizes s = sizes_of(args);
  for_each_output<T>(args, [&](std::int64_t batch, std::int64_t m, std::int64_t n, T sum) {
    for (std::int64_t k = 0; k < s.k; ++k)
      sum = std::fma(read<T>(args.a, offset_of(args.a, batch, m, k)),
                     read_b<T>(args, s, batch, k, n), sum);
    return sum;
  });
}

float flushed(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return (bits & 0x7F800000) == 0 ? std::bit_cast<float>(bits & 0x80000000) : x;
}

/// A result is tiny when, rounded to 24 bits without a lower limit of the exponent, it is below the
/// smallest normal. fma rounds it to the coarser steps of denormals and may reach that number
/// first.
float fma_flushed(float a, float b, float c) {
  constexpr float kSmallest = 0x1p-126f;
  a = flushed(a), b = flushed(b), c = flushed(c);
  const float x = std::fma(a, b, c);
  if (std::abs(x) == kSmallest) {
    const double exact = static_cast<double>(a) * b + c;  // near 2^-126 a double holds it
    if (std::abs(exact) < 0x1p-126 - 0x1p-151) return std::copysign(0.0f, x);
  }
  return flushed(x);
}

}  // namespace

void matmul(const MatmulArgs& args) noexcept {
  if (args.c.dtype == DType::f64) {
    matmul_in<double>(args);
  } else {
    matmul_in<float>(args);
  }
}

void matmul_bf16_pairs(const MatmulArgs& args) noexcept {
  const Sizes s = sizes_of(args);
  for_each_output<float>(args, [&](std::int64_t batch, std::int64_t m, std::int64_t n, float sum) {
    const auto a = [&](std::int64_t k) {
      return k < s.k ? read<float>(args.a, offset_of(args.a, batch, m, k)) : 0.0f;
    };
    const auto b = [&](std::int64_t k) {
      return k < s.k ? read_b<float>(args, s, batch, k, n) : 0.0f;
    };
    for (std::int64_t k = 0; k < s.k; k += 2) {
      sum = fma_flushed(a(k + 1), b(k + 1), sum);
      sum = fma_flushed(a(k), b(k), sum);
    }
    return sum;
  });
}

}  // namespace lathe::kernels::reference
