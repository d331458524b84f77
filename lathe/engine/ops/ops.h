// The ops, as functions. Each only packs its arguments and goes through the door (op.h); meaning,
// kernels and gradients are in the op's own file.
//
// Letters: B batch, T time, C width, H heads, K kv heads, D head size, F hidden, V vocabulary,
// N rows. "float" stands for f32, bf16 or f64. Shapes broadcast by NumPy's rule where named so.
// All of them throw ShapeMismatch or InvalidArgument when a shape or type does not fit.
#pragma once

#include <optional>
#include <vector>

#include "lathe/engine/kernels/kv_layout.h"
#include "lathe/engine/kernels/quant.h"
#include "lathe/engine/ops/op.h"

namespace lathe::ops {

// --- views: no copy; gradient is the inverse view
// -------------------------------------------------

/// x seen with another shape of the same count; -1 stands for the rest. Shapes: any contiguous.
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> dims);
/// Axes in another order. Shapes: order is a permutation of the axes.
Tensor permute(const Tensor& x, std::initializer_list<int> order);
/// Swaps the last two axes. Shapes: [...,M,N] -> [...,N,M].
Tensor transpose(const Tensor& x);
/// Indices begin <= i < end of one axis. Shapes: that axis becomes end - begin.
Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end);
/// Repeats axes of size one, stride 0. Shapes: NumPy broadcasting; gradient: sum over repeats.
Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// The same values in dense row-major order (x itself when it is).
Tensor contiguous(const Tensor& x);

// --- making tensors
// ---------------------------------------------------------------------------------

Tensor full(const Shape& shape, double value, DType dtype, Device device = Device::cpu);

// --- elementwise: shapes kept or broadcast; gradient: the textbook derivative --------------------

Tensor neg(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor square(const Tensor& x);
Tensor relu(const Tensor& x);
/// x * sigmoid(x). Source: Elfwing et al. 2017.
Tensor silu(const Tensor& x);
/// GELU by tanh ("gelu_new", approximate = true) or erf. Source: Hendrycks & Gimpel 2016.
Tensor gelu(const Tensor& x, bool approximate);
/// Another element type, rounded to nearest even.
Tensor cast(const Tensor& x, DType dtype);
/// x * factor.
Tensor scale(const Tensor& x, double factor);
/// The same with a factor that a tensor holds. Shapes: factor f64 []. Gradient: of x only.
Tensor scale_by(const Tensor& x, const Tensor& factor);
/// Two inputs broadcast; f32 with bf16 gives f32.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
/// Comparisons give bool tensors; no gradient.
Tensor less(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& a, const Tensor& b);
/// condition ? a : b, broadcast. Dtypes: bool, float, float.
Tensor select(const Tensor& condition, const Tensor& a, const Tensor& b);
/// Joins along an axis. Shapes: all other axes equal.
Tensor concat(const std::vector<Tensor>& parts, int axis);

// --- reductions
// ---------------------------------------------------------------------------------------

/// Sum over one axis. The last axis is summed by 16 lanes, another one by ascending slices.
Tensor sum(const Tensor& x, int axis, bool keep = false);
Tensor mean(const Tensor& x, int axis, bool keep = false);
/// Largest element of an axis; the gradient goes to every element that equals it, in equal shares.
Tensor max(const Tensor& x, int axis, bool keep = false);
/// Sum over all elements, axis by axis from the last. Shapes: any -> [].
Tensor sum_all(const Tensor& x);
/// Sums the axes that were broadcast, so that x fits `shape`.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// Index of the first largest element of the last axis. Shapes: [...,N] -> i32 [...].
Tensor argmax(const Tensor& x);
/// Sum of squares of a whole tensor: blocks of 4,096 by 16 lanes, blocks ascending in f64.
/// Shapes: any -> f64 [].
Tensor sum_of_squares(const Tensor& x);
/// How many elements are NaN or infinite. Shapes: any -> i32 [].
Tensor count_nonfinite(const Tensor& x);

// --- matrices
// -----------------------------------------------------------------------------------------

/// Shapes: [..,M,K] x [..,K,N] -> [..,M,N], one optional batch axis that broadcasts. Each output is
/// one chain of fused multiply-adds over k.
Tensor matmul(const Tensor& a, const Tensor& b);
/// y = x W^T + b as stored by PyTorch. Shapes: x [...,K], weight [N,K], bias [N] or none ->
/// [...,N]. Dtypes: x and weight alike, or x f32 and weight bf16, which is widened. Gradient: dx =
/// dy W; dW += dy^T x and db += dy, tokens ascending.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// A bf16 matrix at twelve bits an element, without loss, as u8 (kernels/bf16_codes.h). Undefined
/// where products would not read it, and for the rare matrix that cannot be written so. Shapes:
/// weight bf16 [N,K].
Tensor bf16_codes(const Tensor& weight);
/// linear, bit for bit, that reads codes = bf16_codes(weight) instead of the weight; linear itself
/// where they are undefined.
Tensor linear_coded(const Tensor& x, const Tensor& weight, const Tensor& codes,
                    const Tensor& bias = {});
/// y = x W + b with the weight as [in,out] (GPT-2 Conv1D). Shapes: weight [K,N]. Gradient likewise.
Tensor linear_in_out(const Tensor& x, const Tensor& weight, const Tensor& bias);
/// The same two with x and weight rounded to int8, x per token and the weight per output; sums of
/// integers are exact (kernels/linear_int8.h has the definition). Shapes: as above. Dtypes: x and
/// weight f32 or bf16, y as x. Gradient: dx = dy W in int8, dy rounded per token and W per input;
/// dW and db as of linear. Source: SwitchBack, arXiv 2304.13013.
Tensor linear_int8(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
Tensor linear_int8_in_out(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// y = x W^T + b with W as quantised blocks. `exact`: by the dequantised values in f32; else
/// activations are quantised to int8 per token and 32 elements, products of integers are exact
/// (kernels/linear_quantised.h has the definition). Shapes: x [...,K], blocks u8 [N,row_bytes],
/// bias [N] or none -> [...,N]. Dtypes: x f32 or bf16, y as x. Gradient: dx by the dequantised
/// values whether exact or not; none for the blocks.
Tensor linear_quantised(const Tensor& x, const Tensor& blocks, kernels::QuantType type,
                        const Tensor& bias = {}, bool exact = false);
struct QuantisedWeight {
  Tensor blocks;  // u8 [N,row_bytes]
  kernels::QuantType type = kernels::QuantType::q8_0;
  Tensor bias;  // [N] or none
};
/// linear_quantised of x with each of two or three weights: one token runs in one parallel region.
Outputs linears_quantised(const Tensor& x, std::span<const QuantisedWeight> weights,
                          bool exact = false);
/// dy W with W as quantised blocks. Shapes: dy f32 [...,N], blocks u8 [N,row_bytes] -> [...,K].
Tensor linear_quantised_back(const Tensor& dy, const Tensor& blocks, kernels::QuantType type);

// --- rows
// ---------------------------------------------------------------------------------------------

/// Over the last axis.
Tensor softmax(const Tensor& x);
Tensor log_softmax(const Tensor& x);
/// x / sqrt(mean(x^2) + eps) * (weight + offset). Shapes: x [...,C], weight [C]. Dtypes: y takes
/// `out`. Source: Zhang & Sennrich 2019, equation 4; offset 1: Gemma.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, DType out, double offset = 0);
/// (x - mean) / sqrt(var + eps) * weight + bias. Shapes: x [...,C]. Source: Ba et al. 2016.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, DType out);
enum class Activation { silu, gelu, gelu_tanh, relu };  // gelu: by erf
Tensor activate(const Tensor& x, Activation kind);
/// f(gate) * up. Source: Shazeer 2020.
Tensor gated(const Tensor& gate, const Tensor& up, Activation kind);
/// The same with silu.
Tensor swiglu(const Tensor& gate, const Tensor& up);
/// -log p(target) a row. Shapes: logits [N,V], targets i32 [N] (-1: none, gives 0) -> f32 [N].
Tensor cross_entropy(const Tensor& logits, const Tensor& targets);

// --- tokens
// -------------------------------------------------------------------------------------------

/// Rows of a table. Shapes: table [V,C], ids i32 [...] -> [...,C] in dtype `out`.
Tensor embedding(const Tensor& table, const Tensor& ids, DType out);
/// The same of quantised blocks. Shapes: blocks u8 [V,row_bytes]. Gradient: none.
Tensor embedding_quantised(const Tensor& blocks, kernels::QuantType type, const Tensor& ids,
                           DType out);

struct RopeTable {
  Tensor cos, sin;  // f32 [P, R/2]
};
/// Rotary positions, half-split pairs (x_i, x_{i+R/2}). Shapes: x [B,T,H,D], positions i32 [B,T].
/// Source: Su et al. 2021, equation 34.
Tensor rope(const Tensor& x, const RopeTable& table, const Tensor& positions,
            bool interleaved = false);

struct AttentionOptions {
  double scale = 1.0;
  double soft_cap = 0.0;          // 0: none
  std::int64_t window = 0;        // 0: none; else key j is seen while i - j < window
  std::int64_t query_offset = 0;  // key index of query 0 (cached decoding)
};
/// Causal attention with grouped-query heads that never looks before document_start.
/// Shapes: q [B,Tq,H,D], k and v [B,Tk,K,D], document_start i32 [B,Tq] -> [B,Tq,H,D].
/// Source: Vaswani et al. 2017, equation 1; Ainslie et al. 2023; order of sums:
/// kernels/attention.h.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& document_start,
                 const AttentionOptions& options);

/// Where the rows of a batch lie in a cache of pages; kernels/kv_pages.h.
/// Shapes: table i32 [B,N], first i32 [B].
struct PagedRows {
  Tensor table, first;
};
/// Shapes: pages u8 [P,bytes of a page] (kernels::kv_page_bytes).
struct PagedCache {
  Tensor pages;
  PagedRows rows;
  kernels::KvType type = kernels::KvType::f32;
};
/// The same as attention() over keys and values that lie in pages, those of the T new tokens
/// included. `options.query_offset` is not read: rows.first tells it. Everything that changes from
/// step to step is a tensor. Shapes: q [B,T,H,D], document_start i32 [B,T] -> [B,T,H,D]. Dtypes: q
/// f32 or bf16. Gradient: none. Throws InvalidArgument where a page is needed that is not there.
Tensor attention_paged(const Tensor& q, const PagedCache& cache, const Tensor& document_start,
                       const AttentionOptions& options);

/// The gradient of attention(); `in` are its inputs, out and lse its outputs. -> dq, dk, dv.
Outputs attention_backward(Inputs in, const Tensor& out, const Tensor& lse, const Tensor& dout,
                           const Attrs& attrs);

/// Cross entropy of x W^T against targets, in chunks of tokens so that [N,V] is never stored. With
/// a cap logits become cap tanh(logit / cap) before it. Shapes: x [N,C], weight [V,C], targets i32
/// [N]
/// -> nll f32 [N]. The gradient runs the chunks again.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                            double soft_cap = 0);

// --- in place (trailing '_'): the first argument is written; the tape rejects tracked ones
// ---------

void fill_(const Tensor& x, double value);
void copy_(const Tensor& to, const Tensor& from);
void scale_(const Tensor& x, double factor);
void scale_by_(const Tensor& x, const Tensor& factor);
/// acc += x, element by element. Dtypes: acc f32 (f64), x float.
void add_acc_(const Tensor& acc, const Tensor& x);
/// acc[C] += rows of x [N,C], ascending.
void sum_to_acc_(const Tensor& acc, const Tensor& x);
/// acc[M,N] += a[M,K] b[K,N]: the chain over k goes on from the stored value.
void matmul_acc_(const Tensor& acc, const Tensor& a, const Tensor& b);
/// Puts the keys and values of T new tokens into pages. Shapes: pages u8 [P,bytes of a page], k and
/// v [B,T,K,D]. Dtypes: k, v f32 or bf16. Throws InvalidArgument where a page is not there.
void kv_write_(const Tensor& pages, const Tensor& k, const Tensor& v, const PagedRows& rows,
               kernels::KvType type);
/// Gradient of rms_norm: returns dx; weight_acc[C] (when defined) goes on, tokens ascending.
Tensor rms_norm_grad_(const Tensor& weight_acc, const Tensor& x, const Tensor& weight,
                      const Tensor& inverse_rms, const Tensor& dy, double offset = 0);
/// Gradient of layer_norm, likewise.
Tensor layer_norm_grad_(const Tensor& weight_acc, const Tensor& bias_acc, const Tensor& x,
                        const Tensor& weight, const Tensor& mean, const Tensor& inverse_std,
                        const Tensor& dy);
/// acc[V,C] += rows of dy [N,C] at ids [N], ascending.
void embedding_acc_(const Tensor& acc, const Tensor& dy, const Tensor& ids);

/// Sums of rows by id, of which a step touches few: each sum is one chain in the order of arrival.
struct RowSums {
  Tensor sums;   // f32 [R,C]; the first `used` rows
  Tensor place;  // i32 [V]: the row of an id, -1: none
  Tensor ids;    // i32 [R]: the id of a row
  Tensor used;   // i32 [1]
};
/// sums of ids[n] += rows[n], n ascending; an id that is new takes the next row. Shapes: rows
/// [...,C], ids i32 [...]. Throws InvalidArgument for an id outside of [0,V), and where R rows
/// might not do.
void rows_acc_(const RowSums& to, const Tensor& rows, const Tensor& ids);
/// dense[id] += its sum. Shapes: dense f32 [V,C].
void add_rows_(const Tensor& dense, const RowSums& from);
/// No row is in use afterwards.
void clear_rows_(const RowSums& rows);

struct HeadLoss {
  Tensor nll;  // f32 [N], 0 where there is no target
  Tensor dx;   // [N,C] in the type of x
};
struct HeadLossOptions {
  double z_loss = 0.0;
  double soft_cap = 0.0;               // of the logits; 0: none
  std::int64_t rows_per_sequence = 0;  // pairs of a bf16 product form inside a sequence
};
/// The end of a training forward pass and the start of its backward pass in one go: loss of
/// x W^T, its gradient on x, and weight_acc += dlogits^T x, in chunks. `token_weights` scales
/// each token's gradient. Shapes: weight_acc f32 [V,C] (undefined: weights frozen), x [N,C],
/// weight [V,C], targets i32 [N], token_weights f32 [N].
/// Gradient of row t on the logits: w_t ((1 + 2 z lse) p - onehot). Source: spec 4.3 (PaLM z-loss).
HeadLoss linear_cross_entropy_grad_(const Tensor& weight_acc, const Tensor& x, const Tensor& weight,
                                    const Tensor& targets, const Tensor& token_weights,
                                    const HeadLossOptions& options);

/// What stays from step to step.
struct AdamwRule {
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weight_decay = 0;
};
constexpr std::int64_t kAdamwFacts = 4;
/// An f32 master, whole, or without loss in two halves: the value that is computed with, bf16 and
/// rounded with ties away from zero, and the lower 16 bits of the master as u8 [...,2].
struct Master {
  Tensor whole, value, rest;
};
/// One AdamW update. `step` holds what changes from step to step, so that it can be captured: lr,
/// 1 - beta1^k, 1 - beta2^k, clip coefficient / token weight. Shapes: all equal, step f64
/// [kAdamwFacts]. Source: Loshchilov & Hutter 2019, algorithm 2.
void adamw_(const Master& master, const Tensor& gradient, const Tensor& m, const Tensor& v,
            const Tensor& step, const AdamwRule& rule);
/// Writes both halves from an f32 tensor.
void split_master_(const Master& master, const Tensor& from);
/// The f32 master of two halves; no gradient.
Tensor join_master(const Master& master);

}  // namespace lathe::ops
