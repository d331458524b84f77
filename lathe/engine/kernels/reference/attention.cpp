#include "lathe/engine/kernels/reference/attention.h"

#include <limits>

#include "lathe/base/parallel.h"

namespace lathe::kernels::reference {
namespace {

using namespace attention_parts;
using namespace attention_detail;

/// What a block of keys, or the blocks so far, say of one query.
template <typename T>
struct Partial {
  T max, sum;
  T values[kMaxHeadSize];
};

struct Row {
  Index b, i, h;  // batch row, query, head
};

template <typename T>
void block_partial(const AttentionArgs& args, const Row& row, Range keys, Index origin,
                   Partial<T>& out) {
  const Shape n = shape_of(args);
  const Index g = row.h / n.group, q = at(args.q, row.b, row.i, row.h);
  T p[kAttentionBlock];
  out.max = -std::numeric_limits<T>::infinity();
  for (Index j = keys.begin; j < keys.end; ++j) {
    p[j - keys.begin] = score<T>(args, q, at(args.k, row.b, j, g));
    out.max = max(out.max, p[j - keys.begin]);
  }
  T lanes[16] = {};
  for (Index j = keys.begin; j < keys.end; ++j) {
    p[j - keys.begin] = exp(p[j - keys.begin] - out.max);
    lanes[(j - origin) % 16] += p[j - keys.begin];
  }
  out.sum = add_tree(lanes);
  for (Index d = 0; d < n.size; ++d) {
    T x = 0;
    for (Index j = keys.begin; j < keys.end; ++j)
      x = fma(p[j - keys.begin], read<T>(args.v, at(args.v, row.b, j, g) + d), x);
    out.values[d] = x;
  }
}

template <typename T>
void merge(Partial<T>& state, const Partial<T>& block, Index size) {
  const T top = max(state.max, block.max);
  const T a = exp(state.max - top), c = exp(block.max - top);
  state.sum = fma(c, block.sum, a * state.sum);
  for (Index d = 0; d < size; ++d) state.values[d] = fma(c, block.values[d], a * state.values[d]);
  state.max = top;
}

template <typename T>
void attend(const AttentionArgs& args, const Row& row) {
  const Shape n = shape_of(args);
  const Index start = start_of(args, row.b, row.i);
  const Range keys = visible(args, start, offset_of(args, row.b) + row.i);
  Partial<T> state, block;
  bool seen = false;
  for (Index origin = start; origin < keys.end; origin += kAttentionBlock) {
    const Range part{larger(origin, keys.begin), smaller(origin + kAttentionBlock, keys.end)};
    if (part.begin >= part.end) continue;
    block_partial(args, row, part, origin, seen ? block : state);
    if (seen) merge(state, block, n.size);
    seen = true;
  }
  const Index o = at(args.out, row.b, row.i, row.h);
  for (Index d = 0; d < n.size; ++d)
    write<T>(args.out, o + d, seen ? state.values[d] / state.sum : T(0));
  if (args.lse.empty()) return;
  const T lse = seen ? state.max + log(state.sum) : -std::numeric_limits<T>::infinity();
  write<T>(args.lse, at(args.lse, row.b, row.h, row.i), lse);
}

}  // namespace

void attention(const AttentionArgs& args) noexcept {
  const Shape n = shape_of(args);
  parallel_for(n.batch * n.heads * n.queries, 1, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Row row{r / n.queries / n.heads, r % n.queries, r / n.queries % n.heads};
      if (args.q.dtype == DType::f64) {
        attend<double>(args, row);
      } else {
        attend<float>(args, row);
      }
    }
  });
}

}  // namespace lathe::kernels::reference
