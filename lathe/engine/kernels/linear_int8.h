// Products in which both sides are rounded to int8 on the fly: what int8 training multiplies by
// (docs/decisions/0016).
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "lathe/engine/kernels/fused.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/kernels/math.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

constexpr int kInt8Token = 127, kInt8Weight = 63;  // the largest |q|: eight bits and seven

/// Scale of a row and the factor that maps it to [-most, most]: q = round(x * factor), ties to
/// even.
struct RowScale {
  float scale, factor;
};

/// From the bits of the largest |x| of the row. A NaN or infinity makes the scale NaN and every q
/// 0; below 2^-100 the row counts as zeros.
LATHE_INLINE RowScale row_scale(std::uint32_t magnitude_bits, int most) {
  if (magnitude_bits >= 0x7F800000u) return {std::numeric_limits<float>::quiet_NaN(), 0.0f};
  const float largest = std::bit_cast<float>(magnitude_bits);
  if (largest < 0x1p-100f) return {0.0f, 0.0f};
  return {largest / static_cast<float>(most), static_cast<float>(most) / largest};
}

/// y[m,n] = (sx[m] * sw[n]) * float(sum over k of qx[m,k] * qw[n,k]), + bias[n] at the end, where
///   sx[m] = max|x[m,:]| / 127, qx[m,k] = round(x[m,k] * (127 / max|x[m,:]|)), ties to even,
///   sw[n] = max|w[n,:]| / 63,  qw[n,k] = round(w[n,k] * (63 / max|w[n,:]|)).
/// The sum is an exact integer, so its order does not matter; it becomes a float once, rounded to
/// nearest even. A row that holds a NaN or an infinity makes all that it meets NaN (row_scale). No
/// row depends on another, whatever the batch. Weights have seven bits: then two products fit into
/// 16 bits (docs/decisions/0016).
///
/// Shapes: x [M,K], w [N,K], y [M,N], bias [N] or absent. x, y and bias are dense; of w, which is
/// the weight or its transpose, one of the two strides is 1. Sizes may be 0; K = 0 gives 0 + bias.
/// Dtypes: x and w f32 or bf16, each for itself (bf16: widened); y f32 or bf16 (rounded once); bias
/// f32 or bf16.
/// Source: per-token and per-channel scales as in SwitchBack (arXiv 2304.13013, algorithm 1), with
/// the scale of the input gradient on its output side too.
struct LinearInt8Args {
  View x, w, y;
  View bias;
  RowsBefore before;
  TileAfter after;
  void* workspace = nullptr;  // aligned to 64 bytes
  std::int64_t workspace_bytes = 0;
};

/// Up to so many k a sum of products of q fits into 32 bits. Longer ones take the plain loop.
constexpr std::int64_t kMostInt8K = 0x7FFFFFFF / (kInt8Token * kInt8Weight);

/// Bytes of workspace that linear_int8 needs now (isa() and thread_count() of this moment). With
/// less it takes the plain loop.
std::int64_t linear_int8_workspace(const LinearInt8Args& args) noexcept;

/// Runs on the pool (base/parallel.h): two regions a call.
void linear_int8(const LinearInt8Args& args) noexcept;

namespace reference {
void linear_int8(const LinearInt8Args& args) noexcept;
}

#define LATHE_LINEAR_INT8(isa)                                             \
  namespace isa {                                                          \
  std::int64_t linear_int8_workspace(const LinearInt8Args& args) noexcept; \
  void linear_int8(const LinearInt8Args& args) noexcept;                   \
  }
LATHE_LINEAR_INT8(avx2)
LATHE_LINEAR_INT8(avx2_vnni)
LATHE_LINEAR_INT8(avx512)
LATHE_LINEAR_INT8(avx512_vnni)
#undef LATHE_LINEAR_INT8

}  // namespace lathe::kernels
