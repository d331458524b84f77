// Products with weights that stay quantised blocks (docs/decisions/0012).
#pragma once

#include <cstdint>
#include <span>

#include "lathe/engine/kernels/fused.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/kernels/quant.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// y[m,n] = sum over k of x[m,k] w[n,k], + bias[n] at the end; w is what the blocks mean
/// (dequantise_row), never expanded as a whole.
///
/// exact: the chain of matmul.h over the dequantised weights: s = 0, k ascending
/// s = fma(x, w, s). Else activations are quantised too, each token and each block of 32 elements
/// by itself (quant_activation.h): q and a scale; and for groups g of scale_group(type) elements
/// ascending, from s = 0,
///   s = fma(w.scale[g] * x.scale, float(sum of w.q * x.q), s)
/// and, where the type has minima, s = fma(w.minimum[g], x.scale * float(sum of x.q), s).
/// Sums of q are exact integers.
///
/// Types with two digits (activation_digits()) do this twice, the second time with what the first
/// rounding left of x, fma(-x.scale, x.q, x), and add the two sums; then the bias.
///
/// Shapes: x [M,K], blocks [N,row_bytes(type,K)], y [M,N], bias [N] or absent; all dense.
/// Dtypes: x and y f32 or bf16 each for itself (bf16: widened, rounded once), or both f64 (exact
/// only, reference only); blocks u8; bias f32 or bf16.
struct LinearQuantisedArgs {
  View x, blocks, y;
  View bias;
  QuantType type = QuantType::q8_0;
  bool exact = false;
  RowsBefore before;
  TileAfter after;
  void* workspace = nullptr;  // aligned to 64 bytes
  std::int64_t workspace_bytes = 0;
};

/// Q4_1 and Q5_1, small and exact enough for their rows to be worth it, take activations in two
/// digits of int8: nearly exact products, at twice the arithmetic and the same bytes.
constexpr int activation_digits(QuantType type) {
  return type == QuantType::q4_1 || type == QuantType::q5_1 ? 2 : 1;
}

/// Bytes of workspace that linear_quantised needs now. With less it takes the reference loop.
std::int64_t linear_quantised_workspace(const LinearQuantisedArgs& args) noexcept;
void linear_quantised(const LinearQuantisedArgs& args) noexcept;

constexpr int kMostJoined = 3;

/// linear_quantised of each, at most kMostJoined, none reading what another writes. Those of the
/// same x quantise it once and run in one parallel region. The first may have `before`, if all read
/// the same x, and `after`, if all results have one shape: its tiles are stored by all.
void linears_quantised(std::span<const LinearQuantisedArgs> all) noexcept;

/// y[m,k] = sum over n of x[m,n] w[n,k], n ascending, exact: the gradient of the activations.
/// Shapes: x [M,N], blocks [N,row_bytes(type,K)], y [M,K]; no bias. Dtypes: x and y f32, or
/// both f64.
std::int64_t linear_quantised_back_workspace(const LinearQuantisedArgs& args) noexcept;
void linear_quantised_back(const LinearQuantisedArgs& args) noexcept;

// The products of one instruction set are in one digit; linear_quantised puts two together.
namespace reference {
void linear_quantised(const LinearQuantisedArgs& args) noexcept;
void linear_in_two_digits(const LinearQuantisedArgs& args) noexcept;
void linear_quantised_back(const LinearQuantisedArgs& args) noexcept;
}  // namespace reference

#define LATHE_LINEAR_QUANTISED(isa)                                                  \
  namespace isa {                                                                    \
  std::int64_t linear_quantised_workspace(const LinearQuantisedArgs& args) noexcept; \
  void linear_quantised(const LinearQuantisedArgs& args) noexcept;                   \
  void linears_quantised(std::span<const LinearQuantisedArgs> all) noexcept;         \
  }
LATHE_LINEAR_QUANTISED(avx2)
LATHE_LINEAR_QUANTISED(avx2_vnni)
LATHE_LINEAR_QUANTISED(avx512)
LATHE_LINEAR_QUANTISED(avx512_vnni)
#undef LATHE_LINEAR_QUANTISED

/// out[n] = row ids[n] of the table that the blocks mean; an id outside [0, V) gives zeros.
/// Shapes: blocks [V,row_bytes(type,C)], ids [N] (any rank, dense), out [N,C]. Dtypes: blocks u8,
/// ids i32, out f32, bf16 or f64.
struct EmbeddingQuantisedArgs {
  View blocks, ids, out;
  QuantType type = QuantType::q8_0;
};
void embedding_quantised(const EmbeddingQuantisedArgs& args) noexcept;

}  // namespace lathe::kernels
