#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/kv_element.h"
#include "lathe/engine/kernels/reference/attention.h"

namespace lathe::kernels::reference {
namespace {

using namespace attention_parts;
using namespace attention_detail;

/// The keys and values that a row may see.
struct PagedKeys {
  const AttentionPagedArgs& args;
  const KvLayout& layout;
  Index b, g, q;  // batch row, kv head, where the query lies

  const std::byte* head(Index j) const { return kv_head(args.pages, layout, b, j, g); }

  float score(Index j) const {
    float s = 0;
    for (Index d = 0; d < layout.size; ++d)
      s = fma(read<float>(args.q, q + d), kv_key(args.pages.type, layout, head(j), j % kKvPage, d),
              s);
    s = s * args.scale;
    return args.soft_cap == 0.0f ? s : args.soft_cap * tanh(s / args.soft_cap);
  }
  float value(Index j, Index d) const {
    return kv_value(args.pages.type, layout, head(j), j % kKvPage, d);
  }
};

}  // namespace

void attention_paged(const AttentionPagedArgs& args) noexcept {
  const KvLayout layout = kv_layout(args.pages.type, args.q.dims[3]);
  const AttentionArgs dense = dense_args(args);
  const Shape n = shape_of(dense);
  parallel_for(n.batch * n.heads * n.queries, 1, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Index b = r / n.queries / n.heads, i = r % n.queries, h = r / n.queries % n.heads;
      const PagedKeys keys{args, layout, b, h / n.group, at(args.q, b, i, h)};
      const Index start = start_of(dense, b, i), p = kv_first(args.pages, b) + i;
      Partial<float> state;
      const bool seen = attend(keys, visible(dense, start, p), start, n.size, state);
      for (Index d = 0; d < n.size; ++d)
        write<float>(args.out, at(args.out, b, i, h) + d, seen ? state.values[d] / state.sum : 0);
    }
  });
}

}  // namespace lathe::kernels::reference
