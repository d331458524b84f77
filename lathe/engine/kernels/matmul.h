// Matrix product in canonical order (docs/decisions/0002): one chain of fused multiply-adds over k
// for every output, so results do not depend on tile, batch, thread count or instruction set.
#pragma once

#include <cstdint>

#include "lathe/engine/kernels/fused.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// c[m,n] = s + bias[n], s = 0 (or the stored c[m,n] when accumulate), then for k ascending
/// s = fma(a[m,k], b[k,n], s).
/// Shapes: a [M,K], b [K,N], c [M,N], bias [N] or absent; all of rank 2, or of rank 3 with the same
/// leading batch size (its stride may be 0 in a and b). Any strides for a, b and bias; the last
/// stride of c is 1. Sizes may be 0; K = 0 gives 0 + bias.
/// Dtypes: a and b alike, f32 or bf16 (f64 in the reference only), or one f32 and one bf16; c f32
/// or bf16, bf16 being the finished f32 sum rounded to nearest even and only without accumulate;
/// bias f32 or bf16. bf16 operands are widened to f32, except on Isa::avx512_bf16, where the chain
/// runs over pairs (2j, 2j+1) as vdpbf16ps adds them (see reference::matmul_bf16_pairs).
struct MatmulArgs {
  View a, b, c;
  View bias;
  bool accumulate = false;
  TileAfter after;                 // of rank 2 only
  const void* b_panels = nullptr;  // b as pack_b wrote it; then b.data is not read
  View b_codes;                    // b, a bf16 matrix of which k is adjacent, also as encode_bf16
                                   // wrote its rows: fewer bytes of memory
  void* workspace = nullptr;       // aligned to 64 bytes
  std::int64_t workspace_bytes = 0;
};

/// Bytes of workspace that matmul needs now (isa() and thread_count() of this moment). With less,
/// matmul takes the reference loop.
std::int64_t matmul_workspace(const MatmulArgs& args) noexcept;

/// Runs on the pool (base/parallel.h): one region a call.
void matmul(const MatmulArgs& args) noexcept;

/// Panels that matmul reads without packing: f32 as [N/16][K][16], bf16 as [N/16][K/2][16][2], both
/// rounded up and filled with zeros. The same on every instruction set.
/// Shapes: b [K,N], any strides. Dtypes: f32, bf16.
std::int64_t packed_bytes(const View& b) noexcept;
void pack_b(const View& b, void* panels) noexcept;

namespace reference {
void matmul(const MatmulArgs& args) noexcept;

/// The chain of vdpbf16ps, lane by lane: for j ascending s = fma(a[2j+1], b[2j+1], s), then
/// s = fma(a[2j], b[2j], s); each round to nearest even, denormal inputs and results taken as zero;
/// an odd last k is paired with zeros. Found equal on Zen 4 for all inputs tried; Intel documents
/// the same. Dtypes: a and b bf16.
void matmul_bf16_pairs(const MatmulArgs& args) noexcept;
}  // namespace reference

namespace avx2 {
void matmul(const MatmulArgs& args) noexcept;
std::int64_t matmul_workspace(const MatmulArgs& args) noexcept;
void pack_b(const View& b, void* panels) noexcept;
}  // namespace avx2
namespace avx512 {
void matmul(const MatmulArgs& args) noexcept;
std::int64_t matmul_workspace(const MatmulArgs& args) noexcept;
void pack_b(const View& b, void* panels) noexcept;
}  // namespace avx512
namespace avx512_bf16 {
/// bf16 operands only.
void matmul(const MatmulArgs& args) noexcept;
std::int64_t matmul_workspace(const MatmulArgs& args) noexcept;
}  // namespace avx512_bf16

}  // namespace lathe::kernels
