#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/reference/attention.h"

namespace lathe::kernels::reference {
namespace {

using namespace attention_parts;
using namespace attention_detail;

struct Pair {
  Index b, i, h, j;  // batch row, query, head, key
};

template <typename T>
T delta(const AttentionBackwardArgs& args, const Pair& at_row) {
  const Index o = at(args.out, at_row.b, at_row.i, at_row.h);
  const Index g = at(args.dout, at_row.b, at_row.i, at_row.h);
  const Index size = args.q.dims[3];
  T lanes[16] = {};
  for (Index d = 0; d < round_up(size, 16); ++d) {
    const T a = d < size ? read<T>(args.dout, g + d) : T(0);
    const T b = d < size ? read<T>(args.out, o + d) : T(0);
    lanes[d % 16] = fma(a, b, lanes[d % 16]);
  }
  return add_tree(lanes);
}

/// The probability of a visible pair and the gradient of its unscaled score.
template <typename T>
struct PairGradient {
  T p, ds;
};

template <typename T>
PairGradient<T> pair_gradient(const AttentionBackwardArgs& args, const Pair& x) {
  const Index g = x.h / (args.q.dims[2] / args.k.dims[2]);
  const T s = score<T>(args, at(args.q, x.b, x.i, x.h), at(args.k, x.b, x.j, g));
  const T p = exp(s - read<T>(args.lse, at(args.lse, x.b, x.h, x.i)));
  const T dp = chain<T>(args.dout, at(args.dout, x.b, x.i, x.h), args.v, at(args.v, x.b, x.j, g));
  T ds = p * (dp - delta<T>(args, x));
  if (args.soft_cap != 0.0f) {
    const T t = s / static_cast<T>(args.soft_cap);
    ds = ds * (T(1) - t * t);
  }
  return {p, ds * static_cast<T>(args.scale)};
}

template <typename T>
void query_gradient(const AttentionBackwardArgs& args, Index b, Index i, Index h) {
  const Shape n = shape_of(args);
  const Range keys = visible(args, start_of(args, b, i), offset_of(args, b) + i);
  T x[kMaxHeadSize] = {};
  for (Index j = keys.begin; j < keys.end; ++j) {
    const PairGradient<T> pair = pair_gradient<T>(args, {b, i, h, j});
    const Index k = at(args.k, b, j, h / n.group);
    for (Index d = 0; d < n.size; ++d) x[d] = fma(pair.ds, read<T>(args.k, k + d), x[d]);
  }
  const Index out = at(args.dq, b, i, h);
  for (Index d = 0; d < n.size; ++d) write<T>(args.dq, out + d, x[d]);
}

template <typename T>
void key_gradient(const AttentionBackwardArgs& args, Index b, Index j, Index g) {
  const Shape n = shape_of(args);
  T dk[kMaxHeadSize] = {}, dv[kMaxHeadSize] = {};
  for (Index i = 0; i < n.queries; ++i) {
    const Range keys = visible(args, start_of(args, b, i), offset_of(args, b) + i);
    if (j < keys.begin || j >= keys.end) continue;
    for (Index h = g * n.group; h < (g + 1) * n.group; ++h) {
      const PairGradient<T> pair = pair_gradient<T>(args, {b, i, h, j});
      const Index q = at(args.q, b, i, h), o = at(args.dout, b, i, h);
      for (Index d = 0; d < n.size; ++d) {
        dk[d] = fma(pair.ds, read<T>(args.q, q + d), dk[d]);
        dv[d] = fma(pair.p, read<T>(args.dout, o + d), dv[d]);
      }
    }
  }
  const Index at_k = at(args.dk, b, j, g), at_v = at(args.dv, b, j, g);
  for (Index d = 0; d < n.size; ++d) {
    write<T>(args.dk, at_k + d, dk[d]);
    write<T>(args.dv, at_v + d, dv[d]);
  }
}

template <typename T>
void gradients(const AttentionBackwardArgs& args) {
  const Shape n = shape_of(args);
  parallel_for(n.batch * n.queries * n.heads, 1, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r)
      query_gradient<T>(args, r / n.heads / n.queries, r / n.heads % n.queries, r % n.heads);
  });
  parallel_for(n.batch * n.keys * n.kv_heads, 1, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r)
      key_gradient<T>(args, r / n.kv_heads / n.keys, r / n.kv_heads % n.keys, r % n.kv_heads);
  });
}

}  // namespace

void attention_backward(const AttentionBackwardArgs& args) noexcept {
  if (args.q.dtype == DType::f64) {
    gradients<double>(args);
  } else {
    gradients<float>(args);
  }
}

}  // namespace lathe::kernels::reference
