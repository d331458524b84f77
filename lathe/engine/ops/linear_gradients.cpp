#include "lathe/engine/ops/linear_gradients.h"

#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace {

Tensor as_matrix(const Tensor& x) { return reshape(x, {-1, x.dim(-1)}); }

/// acc += a^T b over tokens. A bf16 product adds pairs of tokens, and a pair must not straddle two
/// sequences (a split of the batch would then change it): odd sequences go one by one.
void accumulate_tokens(const Tensor& acc, const Tensor& a, const Tensor& b, std::int64_t sequence) {
  if (a.dtype() != DType::bf16 || sequence % 2 == 0 || a.dim(0) == sequence)
    return matmul_acc_(acc, transpose(a), b);
  for (std::int64_t t = 0; t < a.dim(0); t += sequence)
    matmul_acc_(acc, transpose(slice(a, 0, t, t + sequence)), slice(b, 0, t, t + sequence));
}

}  // namespace

void add_weight_gradient(const VjpCall& c, bool in_out, GradSink& sink) {
  if (!sink.wants(1)) return;
  const Tensor x = as_matrix(c.in[0]), dy = as_matrix(c.grad[0]);
  const Tensor& a = in_out ? x : dy;
  const Tensor& b = in_out ? dy : x;
  if (const Tensor acc = sink.accumulator(1); acc.defined()) {
    accumulate_tokens(acc, a, b, c.in[0].rank() < 2 ? 1 : c.in[0].dim(-2));
  } else {
    sink.add(1, matmul(transpose(a), b));
  }
}

void add_bias_gradient(const VjpCall& c, GradSink& sink) {
  if (c.in.size() < 3 || !sink.wants(2)) return;
  Tensor acc = sink.accumulator(2);
  const bool owned = !acc.defined();
  if (owned) acc = full(c.in[2].shape(), 0, wide(c.grad[0].dtype()), c.grad[0].device());
  sum_to_acc_(acc, as_matrix(c.grad[0]));
  if (owned) sink.add(2, acc);
}

}  // namespace lathe::ops
