// How the fast attention kernels cut their work and their workspace. Nothing here changes a result.
// Internal to kernels/.
#pragma once

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/attention_shape.h"

namespace lathe::kernels::attention_detail {

/// Hands out 64-byte aligned pieces of a workspace; with no base it only counts.
class Arena {
 public:
  LATHE_INLINE explicit Arena(void* base) {
    const auto address = reinterpret_cast<std::uintptr_t>(base);
    base_ = reinterpret_cast<std::byte*>((address + 63) & ~std::uintptr_t{63});
  }

  template <typename T>
  LATHE_INLINE T* take(Index count) {
    std::byte* piece = base_ == nullptr ? nullptr : base_ + used_;
    used_ += round_up(count * static_cast<Index>(sizeof(T)), 64);
    return reinterpret_cast<T*>(piece);
  }

  LATHE_INLINE Index used() const { return used_; }

 private:
  std::byte* base_ = nullptr;
  Index used_ = 0;
};

constexpr Index kBlock = kAttentionBlock;
constexpr Index kRowTarget = 384;  // rows (queries x heads of the group) that share a packed block
constexpr Index kBackwardRowTarget = 192;
constexpr Index kCell = 128;
constexpr Index kSplitQueries = 8;  // at most so many queries: decoding, blocks may run in parallel

/// What one thread needs for a chunk of rows in the forward pass.
struct ForwardScratch {
  float *q, *state, *max, *sum;   // [rows][padded], the same, [rows + 16] twice
  float *keys, *keys_t, *values;  // packed block: rows, transposed, rows
  float *scores, *partial;        // one tile: [16][kBlock], [16][padded]
  std::int32_t *begin, *end;      // visible keys of each row, counted from the document's start

  LATHE_INLINE ForwardScratch(Arena& arena, Index rows, Index padded) {
    q = arena.take<float>(rows * padded);
    state = arena.take<float>(rows * padded);
    max = arena.take<float>(rows + 16);
    sum = arena.take<float>(rows + 16);
    keys = arena.take<float>(kBlock * padded);
    keys_t = arena.take<float>(kBlock * padded);
    values = arena.take<float>(kBlock * padded);
    scores = arena.take<float>(16 * kBlock);
    partial = arena.take<float>(16 * padded);
    begin = arena.take<std::int32_t>(rows);
    end = arena.take<std::int32_t>(rows);
  }
};

struct ForwardPlan {
  Shape n;
  Index chunk;   // queries in a chunk
  Index rows;    // chunk * group
  Index chunks;  // chunks of a (batch row, kv head)
  bool split;    // key blocks in parallel, partials stored and merged afterwards
  Index blocks;  // split: blocks of a row, at most
  Index record;  // split: floats of a stored partial: max, sum, values from 16 on
  Index scratch_bytes;
  Index bytes;
};

LATHE_INLINE ForwardPlan plan_forward(const AttentionArgs& args) {
  ForwardPlan plan{.n = shape_of(args)};
  const Shape& n = plan.n;
  const Index threads = thread_count(), heads = n.batch * n.kv_heads;
  const Index group = larger(n.group, 1), queries = larger(n.queries, 1);
  plan.chunk = larger(2, kRowTarget / group / 2 * 2);
  while (plan.chunk > 16 && heads * (queries / plan.chunk) < 4 * threads) plan.chunk /= 2;
  plan.chunk = smaller(plan.chunk, queries);
  plan.chunks = (queries + plan.chunk - 1) / plan.chunk;
  plan.rows = plan.chunk * group;
  plan.split = queries <= kSplitQueries && plan.chunks == 1 && n.keys > 2 * kBlock &&
               heads < 4 * threads && threads > 1;
  plan.blocks = (n.keys + kBlock - 1) / kBlock;
  plan.record = n.padded + 16;
  Arena measure(nullptr);
  ForwardScratch(measure, plan.rows, n.padded);
  plan.scratch_bytes = measure.used();
  const Index partials = plan.split ? heads * plan.rows * plan.blocks * plan.record : 0;
  plan.bytes = 64 + threads * plan.scratch_bytes + partials * static_cast<Index>(sizeof(float));
  return plan;
}

/// What one thread needs for a chunk of rows in the backward pass. Rows of q, dout, keys are words
/// of one f32 or two bf16; the joined buffers hold pairs of rows and serve bf16 only.
struct BackwardScratch {
  float *q, *dout, *lse, *delta;             // [rows][padded] twice, [rows + 16] twice
  float *keys, *keys_t, *values, *values_t;  // packed block
  float *p, *ds;                             // [rows][kBlock]
  float *q_joined, *dout_joined;             // [rows / 2 + 1][padded]
  float* keys_joined;                        // [kBlock / 2][padded]
  float *p_joined, *ds_joined;               // [rows / 2 + 1][kBlock]
  std::int32_t *begin, *end;

  LATHE_INLINE BackwardScratch(Arena& arena, Index rows, const AttentionBackwardArgs& args) {
    const Index padded = shape_of(args).padded;
    q = arena.take<float>(rows * padded);
    dout = arena.take<float>(rows * padded);
    lse = arena.take<float>(rows + 16);
    delta = arena.take<float>(rows + 16);
    keys = arena.take<float>(kBlock * padded);
    keys_t = arena.take<float>(kBlock * padded);
    values = arena.take<float>(kBlock * padded);
    values_t = arena.take<float>(kBlock * padded);
    p = arena.take<float>(rows * kBlock);
    ds = arena.take<float>(rows * kBlock);
    begin = arena.take<std::int32_t>(rows);
    end = arena.take<std::int32_t>(rows);
    const Index pairs = all_bf16(args) ? rows / 2 + 1 : 0;
    q_joined = arena.take<float>(pairs * padded);
    dout_joined = arena.take<float>(pairs * padded);
    keys_joined = arena.take<float>(pairs > 0 ? kBlock / 2 * padded : 0);
    p_joined = arena.take<float>(pairs * kBlock);
    ds_joined = arena.take<float>(pairs * kBlock);
  }
};

/// f32 sums of one (batch row, kv head): dq [queries * group][padded], dk and dv [keys][padded].
struct BackwardSums {
  float *dq, *dk, *dv;

  LATHE_INLINE BackwardSums(Arena& arena, const Shape& n) {
    dq = arena.take<float>(n.queries * n.group * n.padded);
    dk = arena.take<float>(n.keys * n.padded);
    dv = arena.take<float>(n.keys * n.padded);
  }
};

struct BackwardPlan {
  Shape n;
  Index chunk;  // queries in a chunk, even
  Index rows;
  Index cell;   // queries and keys of a cell in the grid form; 0: a whole head is one task
  Index slots;  // sets of sums: one a thread, or one a head in the grid form
  Index sum_bytes, scratch_bytes, bytes;
};

LATHE_INLINE BackwardPlan plan_backward(const AttentionBackwardArgs& args) {
  BackwardPlan plan{.n = shape_of(args)};
  const Shape& n = plan.n;
  const Index threads = thread_count(), heads = n.batch * n.kv_heads;
  const Index longest = larger(n.queries, n.keys);
  plan.chunk = larger(2, kBackwardRowTarget / larger(n.group, 1) / 2 * 2);
  plan.rows = plan.chunk * larger(n.group, 1);
  const bool balanced = threads == 1 || heads >= 8 * threads || heads % threads == 0;
  plan.cell = balanced || longest <= kCell ? 0 : larger(kCell, round_up(longest / 16, kBlock));
  plan.slots = plan.cell == 0 ? threads : larger(heads, threads);
  Arena sums(nullptr), scratch(nullptr);
  BackwardSums(sums, n);
  BackwardScratch(scratch, plan.rows, args);
  plan.sum_bytes = sums.used();
  plan.scratch_bytes = scratch.used();
  plan.bytes = 64 + threads * plan.scratch_bytes + plan.slots * plan.sum_bytes;
  return plan;
}

}  // namespace lathe::kernels::attention_detail
