// Scaled dot-product attention: causal, grouped-query, document-masked, windowed, soft-capped;
// forward and backward, without ever storing a [Tq,Tk] matrix.
//
// The definitions below fix every order of additions (docs/decisions/0001); all kernels obey them,
// so the same row gives the same bits in prefill, decode, any chunk of queries, any batch, packed
// or alone, on any instruction set and any number of threads. docs/math/attention.md derives the
// gradients. Notation: query i of batch row b has position p = offset + i in key coordinates;
// G = H / K heads share a kv head; start = document_start[b,i].
//
//   visible    max(start, p - window + 1) <= j <= p  (no window: start <= j; not causal: j < Tk)
//   score      s = 0; for d ascending: s = fma(q[d], k_j[d], s);  s = s * scale;
//              with a cap: s = cap * tanh(s / cap)
//   block n    the visible keys j with start + 64 n <= j < start + 64 (n + 1); its partial is
//     m        the largest score of the block
//     p_j      exp(s_j - m)
//     l        16 lanes: key j adds p_j to lane (j - start) mod 16, keys ascending, lanes start
//              at 0; lanes are added in the tree 8, 4, 2, 1. A key that is not visible adds nothing
//     v[d]     x = 0; for the visible keys of the block ascending: x = fma(p_j, v_j[d], x)
//   merge      the first block with a visible key is the state (M, L, A); each later one:
//              N = max(M, m); a = exp(M - N); c = exp(m - N);
//              L = fma(c, l, a * L); A[d] = fma(c, v[d], a * A[d]); M = N
//   result     out[d] = A[d] / L;  lse = M + log(L).  No visible key: out = 0, lse = -infinity
//
//   backward   with the scores s_ij of above and p = exp(s_ij - lse_i), over visible pairs only:
//     delta    sum over d of dout[d] * out[d]: 16 lanes of fma, the row padded with zeros to a
//              multiple of 16, tree 8, 4, 2, 1
//     dp       x = 0; for d ascending: x = fma(dout[d], v_j[d], x)
//     ds       g = p * (dp - delta); with a cap: g = g * (1 - t * t), t = s_ij / cap; ds = g *
//     scale dq_i[d]  x = 0; for j ascending: x = fma(ds, k_j[d], x) dv_j[d]  x = 0; for i
//     ascending, for the heads of the group ascending: x = fma(p, dout[d], x) dk_j[d]  likewise: x
//     = fma(ds, q[d], x)
//
// bf16 inputs are widened to f32 and results rounded once. At Isa::avx512_bf16, when all of q, k
// and v (backward: dout too) are bf16, products are native (cpu/attention_pairs.h states that
// definition): same bits for any batch, chunk, tile and thread count on that processor, and within
// a tolerance of the above.
#pragma once

#include <cstdint>

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// Largest head size D that the kernels take.
constexpr std::int64_t kMaxHeadSize = 1024;

/// Keys in a block of the forward definition.
constexpr std::int64_t kAttentionBlock = 64;

/// Attention of every query over the keys it may see.
/// Shapes: q, out [B,Tq,H,D]; k, v [B,Tk,K,D], H a multiple of K, 1 <= D <= kMaxHeadSize;
/// document_start [B,Tq] (empty: 0 everywhere); query_offsets [B] (empty: query_offset);
/// lse [B,H,Tq] or empty (not wanted). The last dimension of q, k, v and out has stride 1, the
/// others any, so that they may be slices of one fused projection.
/// Dtypes: q, k, v, out each f32 or bf16, lse f32; or all f64 (reference only). Indices i32.
/// Gradient: AttentionBackwardArgs. Thread rule: one call per workspace at a time.
/// Source: Dao et al. 2022 (FlashAttention), arXiv 2205.14135, algorithm 1, with the block partials
/// and merges fixed as stated above.
struct AttentionArgs {
  View q, k, v;
  View document_start;  // first key that the query may see, in key coordinates
  View query_offsets;   // key coordinate of query 0, per batch row
  View out;
  View lse;
  float scale = 1.0f;
  float soft_cap = 0.0f;    // 0: none
  std::int64_t window = 0;  // 0: none; else a query sees at most so many keys, itself included
  std::int64_t query_offset = 0;  // key coordinate of query 0: Tk - Tq when decoding from a cache
  bool causal = true;
  void* workspace = nullptr;  // at least attention_workspace(args) bytes
  std::int64_t workspace_bytes = 0;
};

/// Gradients of attention. q, k, v, document_start, ... as in the forward pass; out and lse are its
/// results.
/// Shapes: dout, dq [B,Tq,H,D]; dk, dv [B,Tk,K,D]; unit stride in the last dimension.
/// Dtypes: each f32 or bf16, or all f64. dq, dk and dv are written, not added to.
struct AttentionBackwardArgs : AttentionArgs {
  View dout;
  View dq, dk, dv;
};

/// Bytes of workspace for the present thread_count() and instruction set; a larger one is fine.
/// Reads dimensions and dtypes only (data may be null).
std::int64_t attention_workspace(const AttentionArgs& args);
std::int64_t attention_backward_workspace(const AttentionBackwardArgs& args);

LATHE_KERNEL(attention, AttentionArgs)
LATHE_KERNEL(attention_backward, AttentionBackwardArgs)

/// The native products; the dispatchers above choose them.
namespace avx512_bf16 {
void attention(const AttentionArgs& args) noexcept;
void attention_backward(const AttentionBackwardArgs& args) noexcept;
}  // namespace avx512_bf16

}  // namespace lathe::kernels
