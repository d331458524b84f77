// Attention over k and v as they lie: blocks are packed, keys transposed.
#pragma once

#include "lathe/engine/kernels/cpu/attention_forward.h"

namespace lathe::kernels::LATHE_ISA::attention_parts {

template <typename W>
class DenseBlocks {
 public:
  using Words = W;

  DenseBlocks(const AttentionArgs& args, const ForwardScratch& scratch)
      : args_(args), n_(shape_of(args)), scratch_(scratch), words_(n_.padded / Words::kUnits) {}

  /// Asks for the block that comes first.
  void announce(const Run& run, Index origin) const {
    prefetch_block(args_.k, run.b, run.start + origin, run.g);
    prefetch_block(args_.v, run.b, run.start + origin, run.g);
  }

  void bring(const Run& run, const Block& block, Index rows, bool /*more*/) {
    const Index key = run.start + block.origin, count = block.count;
    const Index k = at(args_.k, run.b, key, run.g), v = at(args_.v, run.b, key, run.g);
    transpose_rows(gather_rows<Words>(args_.k, k, count, scratch_.keys, true), count, words_,
                   scratch_.keys_t);
    if constexpr (Words::kUnits == 1) {
      const bool few = rows <= 4 * kTileRows;  // not worth a copy
      values_ = gather_rows<Words>(args_.v, v, count, scratch_.values, few);
    } else {
      join_rows(gather_rows<Words>(args_.v, v, count, scratch_.keys, true), {0, count}, n_.padded,
                scratch_.values);
      values_ = {scratch_.values, n_.padded};
    }
    keys_ahead_ = values_ahead_ = {};
    if (rows <= kTileRows) {
      keys_ahead_ = rows_ahead(args_.k, run.b, key + kBlock, run.g);
      values_ahead_ = rows_ahead(args_.v, run.b, key + kBlock, run.g);
    } else {
      announce(run, block.origin + kBlock);
    }
  }

  /// x.c = x.a times the keys.
  void scores(Chains x, int tile, int vectors) const {
    x.b = scratch_.keys_t, x.ldb = kBlock, x.ahead = keys_ahead_;
    chain<Words, false>(x, tile, vectors);
  }
  /// x.c = x.a times the values, each row over its keys.
  void values(Chains x, int tile, const Range* keys) const {
    x.b = values_.data, x.ldb = values_.ld, x.ahead = values_ahead_;
    chain_ragged<Words, false>(x, tile, static_cast<int>(n_.padded / 16), keys);
  }

 private:
  const AttentionArgs& args_;
  const Shape n_;
  const ForwardScratch scratch_;
  const Index words_;  // in a row of k
  Rows values_{};
  RowsAhead keys_ahead_, values_ahead_;
};

template <typename Words>
Forward<DenseBlocks<Words>> make_dense(const AttentionArgs& args, const ForwardPlan& plan,
                                       Arena& arena) {
  const ForwardScratch scratch(arena, plan.rows, plan.n.padded);
  return {args, plan, scratch, DenseBlocks<Words>(args, scratch)};
}

/// Key blocks of every (batch row, kv head) in parallel, then rows in parallel.
template <typename Words>
void attend_split(const AttentionArgs& args, const ForwardPlan& plan, std::byte* scratch,
                  float* records) {
  const Shape& n = plan.n;
  const Index rows = n.queries * n.group, floats = rows * plan.blocks * plan.record;
  // A piece begins with a block that nothing has fetched: not too many of them.
  const Index grain = larger(4, n.batch * n.kv_heads * plan.blocks / (8 * thread_count()));
  const Index pieces = (plan.blocks + grain - 1) / grain;
  const auto forward = [&] {
    Arena arena(scratch + thread_index() * plan.scratch_bytes);
    return make_dense<Words>(args, plan, arena);
  };
  parallel_for(n.batch * n.kv_heads * pieces, 1, [&](Index first, Index last) {
    for (Index x = first; x < last; ++x) {
      const Index head = x / pieces, from = x % pieces * grain;
      forward().partials(head / n.kv_heads, head % n.kv_heads,
                         {from, smaller(from + grain, plan.blocks)}, plan, records + head * floats);
    }
  });
  parallel_for(n.batch * n.kv_heads * rows, 4, [&](Index first, Index last) {
    for (Index x = first; x < last; ++x) {
      const Index head = x / rows, b = head / n.kv_heads, i = x % rows / n.group;
      const Run run{b, head % n.kv_heads, i, 1, start_of(args, b, i)};
      forward().merge_records(run, plan, x % rows, records + head * floats);
    }
  });
}

template <typename Words>
void attend_all(const AttentionArgs& args) {
  const ForwardPlan plan = plan_forward(args);
  LATHE_DCHECK(args.workspace_bytes >= plan.bytes);
  Arena arena(args.workspace);
  std::byte* scratch = arena.take<std::byte>(thread_count() * plan.scratch_bytes);
  if (plan.split) return attend_split<Words>(args, plan, scratch, arena.take<float>(0));
  attend_chunks(plan, scratch, [&](Arena& mine) { return make_dense<Words>(args, plan, mine); });
}

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
