// How attention over pages cuts its work and its workspace. Nothing here changes a result. Internal
// to kernels/.
#pragma once

#include <atomic>

#include "lathe/engine/kernels/attention_plan.h"
#include "lathe/engine/kernels/kv_element.h"

namespace lathe::kernels::attention_detail {

/// What one thread needs: that of the forward pass, and a page to gather keys in.
struct PagedScratch : ForwardScratch {
  std::byte* page;

  LATHE_INLINE PagedScratch(Arena& arena, Index rows, Index padded, Index page_bytes)
      : ForwardScratch(arena, rows, padded), page(arena.take<std::byte>(page_bytes)) {}
};

/// The blocks of keys that one batch row's queries see, counted from the start of their documents,
/// in pieces of equal length for each kv head.
struct PagedRow {
  Index begin, end;   // blocks
  Index first_piece;  // of the first head; those of a head follow one another
  Index pieces_a_head;
};

/// Pieces of a head that are not done. The thread that does the last one merges.
using PiecesLeft = std::atomic<std::int32_t>;

struct PagedPlan {
  ForwardPlan forward;  // blocks: pages of a table's row
  Index page_bytes;     // of a head
  bool few;             // decoding: heads are tasks, or where they are few, pieces of heads
  bool split;           // pieces
};

LATHE_INLINE PagedPlan plan_paged(const AttentionPagedArgs& args) {
  PagedPlan plan{.forward = plan_forward(dense_args(args))};
  ForwardPlan& f = plan.forward;
  plan.page_bytes = kv_layout(args.pages.type, f.n.size).bytes;
  const Index threads = thread_count(), heads = f.n.batch * f.n.kv_heads;
  plan.few = f.n.queries <= kSplitQueries && f.chunks == 1;
  plan.split = plan.few && threads > 1 && heads < 8 * threads;
  Arena measure(nullptr);
  PagedScratch(measure, f.rows, f.n.padded, plan.page_bytes);
  f.scratch_bytes = measure.used();
  Arena all(nullptr);
  all.take<std::byte>(threads * f.scratch_bytes);
  all.take<PagedRow>(plan.few ? f.n.batch : 0);
  all.take<PiecesLeft>(plan.split ? heads : 0);
  all.take<float>(plan.split ? heads * f.rows * f.blocks * f.record : 0);
  f.bytes = 64 + all.used();
  return plan;
}

}  // namespace lathe::kernels::attention_detail
