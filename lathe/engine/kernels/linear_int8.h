// Products in which both sides are rounded to int8 on the fly: what int8 training multiplies by
// (docs/decisions/0016).
#pragma once

#include <cstdint>

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// y[m,n] = (sx[m] * sw[n]) * float(sum over k of qx[m,k] * qw[n,k]), + bias[n] at the end, where
///   sx[m] = max|x[m,:]| / 127, qx[m,k] = round(x[m,k] * (127 / max|x[m,:]|)), ties to even,
/// and the same for the rows of w. q lies in [-127, 127]. The sum is an exact integer, so its order
/// does not matter; it becomes a float once, rounded to nearest even. A row whose largest |x| is
/// below 2^-100 counts as zeros; one that holds a NaN or an infinity makes all that it meets NaN
/// (quant_activation.h). No row depends on another, whatever the batch.
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
  void* workspace = nullptr;  // aligned to 64 bytes
  std::int64_t workspace_bytes = 0;
};

/// Up to so many k a sum of products of q fits into 32 bits. Longer ones take the plain loop.
constexpr std::int64_t kMostInt8K = 0x7FFFFFFF / (127 * 127);

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
LATHE_LINEAR_INT8(avx512)
LATHE_LINEAR_INT8(avx512_vnni)
#undef LATHE_LINEAR_INT8

}  // namespace lathe::kernels
