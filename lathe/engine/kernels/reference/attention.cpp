#include "lathe/engine/kernels/reference/attention.h"

#include "lathe/base/parallel.h"

namespace lathe::kernels::reference {
namespace {

using namespace attention_parts;
using namespace attention_detail;

struct Row {
  Index b, i, h;  // batch row, query, head
};

/// The keys and values that a row may see.
template <typename T>
struct DenseKeys {
  const AttentionArgs& args;
  Index b, g, q;  // batch row, kv head, where the query lies

  T score(Index j) const { return attention_parts::score<T>(args, q, at(args.k, b, j, g)); }
  T value(Index j, Index d) const { return read<T>(args.v, at(args.v, b, j, g) + d); }
};

template <typename T>
void attend_row(const AttentionArgs& args, const Row& row) {
  const Shape n = shape_of(args);
  const Index start = start_of(args, row.b, row.i);
  const DenseKeys<T> keys{args, row.b, row.h / n.group, at(args.q, row.b, row.i, row.h)};
  Partial<T> state;
  const bool seen =
      attend(keys, visible(args, start, offset_of(args, row.b) + row.i), start, n.size, state);
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
        attend_row<double>(args, row);
      } else {
        attend_row<float>(args, row);
      }
    }
  });
}

}  // namespace lathe::kernels::reference
