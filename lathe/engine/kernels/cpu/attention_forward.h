// The forward pass of attention over packed blocks.
//
// A chunk of queries times the heads of a group are the rows of a small matrix (query ascending,
// then head). For each block of 64 keys: bring it, then for every six rows: scores, probabilities,
// partial values, merge. Blocks brings them: DenseBlocks (attention_dense.h) from k and v,
// PagedBlocks (attention_paged.h) from pages. Its Words: F32Words (attention_tiles.h) or Bf16Words
// (attention_pairs.h).
#pragma once

#include "lathe/base/error.h"
#include "lathe/engine/kernels/attention_plan.h"
#include "lathe/engine/kernels/cpu/attention_exp.h"
#include "lathe/engine/kernels/cpu/attention_pack.h"
#include "lathe/engine/kernels/cpu/attention_run.h"
#include "lathe/engine/kernels/cpu/attention_tiles.h"

namespace lathe::kernels::LATHE_ISA::attention_parts {

template <typename Blocks>
class Forward {
 public:
  using Words = typename Blocks::Words;

  Forward(const AttentionArgs& args, const ForwardPlan& plan, const ForwardScratch& scratch,
          const Blocks& blocks)
      : args_(args),
        n_(plan.n),
        scratch_(scratch),
        blocks_(blocks),
        words_(plan.n.padded / Words::kUnits) {}

  /// Queries [first, end) of a batch row and kv head, start to finish.
  void attend(Index b, Index g, Index first, Index end) {
    for (Index i = first; i < end;) {
      const Index next = run_end(args_, b, i, end);
      attend_run({b, g, i, next - i, start_of(args_, b, i)});
      i = next;
    }
  }

  /// Split form: the partials of blocks [from, to) of all queries, into `records` (ForwardPlan).
  void partials(Index b, Index g, Range blocks, const ForwardPlan& plan, float* records) {
    for (Index i = 0; i < n_.queries;) {
      const Index next = run_end(args_, b, i, n_.queries);
      const Run run{b, g, i, next - i, start_of(args_, b, i)};
      open(run);
      const Index from = larger(blocks.begin, begin(0) / kBlock);
      blocks_.announce(run, from * kBlock);
      for (Index x = from; x < blocks.end; ++x)
        if (bring(run, x * kBlock, x + 1 < blocks.end))
          store_partials(plan, x, records + i * n_.group * row_floats(plan));
      i = next;
    }
  }

  /// Split form: merges the stored partials of all rows and writes their results.
  void merge_all(Index b, Index g, const ForwardPlan& plan, const float* records) {
    for (Index i = 0; i < n_.queries;) {
      const Index next = run_end(args_, b, i, n_.queries);
      const Run run{b, g, i, next - i, start_of(args_, b, i)};
      open(run);
      for (Index r = 0; r < rows_; ++r)
        merge_row(r, plan, records + (i * n_.group + r) * row_floats(plan));
      finish(run, 0, rows_);
      i = next;
    }
  }

  /// Split form: merges the stored partials of one row and writes its result.
  void merge_records(const Run& run, const ForwardPlan& plan, Index row, const float* records) {
    open(run);
    const Index local = row - run.first * n_.group;
    merge_row(local, plan, records + row * row_floats(plan));
    finish(run, local, 1);
  }

 private:
  static Index row_floats(const ForwardPlan& plan) { return plan.blocks * plan.record; }
  Index begin(Index r) const { return scratch_.begin[r]; }
  Index end(Index r) const { return scratch_.end[r]; }

  void attend_run(const Run& run) {
    open(run);
    for (Index origin = begin(0) / kBlock * kBlock; bring(run, origin, true); origin += kBlock)
      for (Index r = 0; r < rows_; r += kTileRows) {
        const int tile = static_cast<int>(smaller(kTileRows, rows_ - r));
        if (block_tile(r, tile, scratch_.partial, n_.padded)) merge(r, tile, scratch_.partial);
      }
    finish(run, 0, rows_);
  }

  /// Packs the queries and forgets the state.
  void open(const Run& run) {
    rows_ = run.count * n_.group;
    visible_rows(args_, run, n_.group, scratch_.begin, scratch_.end);
    for (Index r = 0; r < rows_; ++r) scratch_.sum[r] = scratch_.max[r] = 0.0f;
    for (Index r = 0; r < rows_; ++r)
      copy_words<Words>(args_.q, row_offset(args_.q, run, n_.group, r), scratch_.q + r * words_);
  }

  /// Brings the block at `origin`; false when no query sees a key of it or behind it. `more`: the
  /// one behind it will be asked for as well.
  bool bring(const Run& run, Index origin, bool more) {
    block_ = {origin, smaller(kBlock, end(rows_ - 1) - origin)};
    if (block_.count <= 0) return false;
    blocks_.bring(run, block_, rows_, more && origin + kBlock < end(rows_ - 1));
    return true;
  }

  Range inside(Index r) const { return attention_parts::inside(block_, begin(r), end(r)); }

  /// Partials of rows [r, r + tile): tile_max_, tile_sum_ (0 where nothing is visible) and `values`
  /// [tile][ld]. False when nothing is visible to any of them.
  bool block_tile(Index r, int tile, float* values, Index ld) {
    const Index last = inside(r + tile - 1).end;
    if (last == 0 || inside(r).begin >= kBlock) return false;
    const int vectors = static_cast<int>((last + 15) / 16);
    const Chains scores{.a = scratch_.q + r * words_,
                        .lda = words_,
                        .b = nullptr,
                        .ldb = 0,
                        .steps = (n_.size + Words::kUnits - 1) / Words::kUnits,
                        .c = scratch_.scores,
                        .ldc = kBlock,
                        .fresh = true};
    blocks_.scores(scores, tile, vectors);
    Range keys[kTileRows];
    for (int i = 0; i < tile; ++i) keys[i] = inside(r + i);
    probabilities(tile, vectors, keys);
    const Chains sums{.a = scratch_.scores,
                      .lda = kBlock,
                      .b = nullptr,
                      .ldb = 0,
                      .steps = 0,
                      .c = values,
                      .ldc = ld,
                      .fresh = true};
    blocks_.values(sums, tile, keys);
    return true;
  }

  void probabilities(int tile, int vectors, const Range* keys) {
    switch (vectors) {
      case 1:
        return probabilities<1>(tile, keys);
      case 2:
        return probabilities<2>(tile, keys);
      case 3:
        return probabilities<3>(tile, keys);
      default:
        return probabilities<4>(tile, keys);
    }
  }

  /// Scores become probabilities, in three passes over the rows: the ends of a row are chains of
  /// dependent operations, which only those of other rows can fill.
  template <int V>
  LATHE_INLINE void probabilities(int tile, const Range* keys) {
    alignas(64) float sums[kTileRows][16];
    for (int i = 0; i < tile; ++i) tile_max_[i] = largest_score<V>(i, keys[i]);
    for (int i = 0; i < tile; ++i) {
      float* row = scratch_.scores + i * kBlock;
      const F32x16 top = splat(tile_max_[i]);
      F32x16 s[V], sum = zero();
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) s[v] = load(row + 16 * v) - top;
      exp_each(s);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        sum = sum + s[v];
        Words::put(row, v, s[v]);
      }
      store(sums[i], sum);
    }
    for (int i = 0; i < tile; ++i) {
      const bool seen = keys[i].begin < keys[i].end;
      tile_sum_[i] = seen ? add_lanes(load(sums[i])) : 0.0f;
      if (!seen) tile_max_[i] = 0.0f;
    }
  }

  /// Scales, caps and hides the scores of a row and returns their largest.
  template <int V>
  LATHE_INLINE float largest_score(int i, Range keys) {
    float* row = scratch_.scores + i * kBlock;
    const F32x16 scale = splat(args_.scale), cap = splat(args_.soft_cap);
    const bool whole = keys.begin == 0 && keys.end == kBlock;
    F32x16 top = splat(-__builtin_inff());
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      F32x16 s = load(row + 16 * v) * scale;
      if (args_.soft_cap != 0.0f) s = cap * tanh(s / cap);
      if (!whole) s = hide(s, keys, 16 * v, splat(-__builtin_inff()));
      store(row + 16 * v, s);
      top = max(top, s);
    }
    return max_lane(top);
  }

  /// Merges the stored partials of row r.
  void merge_row(Index r, const ForwardPlan& plan, const float* records) {
    const Index blocks = (end(r) + kBlock - 1) / kBlock;
    for (Index x = begin(r) / kBlock; x < blocks; x += 16)
      merge_blocks(r, plan.record, records + x * plan.record, smaller(16, blocks - x));
  }

  /// What merging adds of a block: the state times a, and its values times c.
  struct Merges {
    alignas(64) float a[16], c[16];
    const float* values[16];
    int count = 0;
  };

  /// Up to sixteen blocks: first all factors, which need the maxima alone, side by side.
  void merge_blocks(Index r, Index record_floats, const float* records, Index count) {
    Merges m;
    float sums[16];
    float* state = scratch_.state + r * n_.padded;
    float &sum = scratch_.sum[r], &top = scratch_.max[r];
    for (Index i = 0; i < count; ++i) {
      const float *record = records + i * record_floats, *values = record + 16;
      if (record[1] == 0.0f) continue;
      if (sum == 0.0f) {
        for (Index d = 0; d < n_.padded; d += 16) store(state + d, load(values + d));
        top = record[0], sum = record[1];
        continue;
      }
      const float old = top;
      top = old > record[0] ? old : record[0];
      m.a[m.count] = old - top, m.c[m.count] = record[0] - top;
      m.values[m.count] = values, sums[m.count] = record[1];
      ++m.count;
    }
    for (int i = m.count; i < 16; ++i) m.a[i] = m.c[i] = 0.0f;
    store(m.a, exp(load(m.a)));
    store(m.c, exp(load(m.c)));
    for (int i = 0; i < m.count; ++i) sum = __builtin_fmaf(m.c[i], sums[i], m.a[i] * sum);
    Index d = 0;
    for (; d + 64 <= n_.padded; d += 64) merge_values<4>(m, d, state);
    for (; d < n_.padded; d += 16) merge_values<1>(m, d, state);
  }

  /// Elements [d, d + 16 V) of the state.
  template <int V>
  static void merge_values(const Merges& m, Index d, float* state) {
    F32x16 s[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) s[v] = load(state + d + 16 * v);
    for (int i = 0; i < m.count; ++i) {
      const F32x16 a = splat(m.a[i]), c = splat(m.c[i]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) s[v] = fma(c, load(m.values[i] + d + 16 * v), a * s[v]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(state + d + 16 * v, s[v]);
  }

  /// Adds a block's partials (rows of `values`) to the state of rows [r, r + tile).
  void merge(Index r, int tile, const float* values) {
    const F32x16 old = load(scratch_.max + r), block = load(tile_max_);
    const F32x16 top = max(old, block);
    alignas(64) float a[16], c[16], tops[16];
    store(a, exp(old - top));
    store(c, exp(block - top));
    store(tops, top);
    for (int i = 0; i < tile; ++i) {
      if (tile_sum_[i] == 0.0f) continue;
      float* state = scratch_.state + (r + i) * n_.padded;
      const float* x = values + i * n_.padded;
      float& sum = scratch_.sum[r + i];
      if (sum == 0.0f) {
        for (Index d = 0; d < n_.padded; d += 16) store(state + d, load(x + d));
        sum = tile_sum_[i];
        scratch_.max[r + i] = tile_max_[i];
        continue;
      }
      const F32x16 va = splat(a[i]), vc = splat(c[i]);
      for (Index d = 0; d < n_.padded; d += 16)
        store(state + d, fma(vc, load(x + d), va * load(state + d)));
      sum = __builtin_fmaf(c[i], tile_sum_[i], a[i] * sum);
      scratch_.max[r + i] = tops[i];
    }
  }

  void store_partials(const ForwardPlan& plan, Index block, float* records) {
    for (Index r = 0; r < rows_; r += kTileRows) {
      const int tile = static_cast<int>(smaller(kTileRows, rows_ - r));
      float* record = records + r * row_floats(plan) + block * plan.record;
      if (!block_tile(r, tile, record + 16, row_floats(plan))) continue;
      for (int i = 0; i < tile; ++i, record += row_floats(plan))
        record[0] = tile_max_[i], record[1] = tile_sum_[i];
    }
  }

  /// Divides the state of rows [r, r + count) by their sums and writes them.
  void finish(const Run& run, Index r, Index count) {
    for (; count > 0; ++r, --count) {
      float* state = scratch_.state + r * n_.padded;
      const bool seen = scratch_.sum[r] != 0.0f;
      const F32x16 sum = splat(scratch_.sum[r]);
      for (Index d = 0; d < n_.padded; d += 16)
        store(state + d, seen ? load(state + d) / sum : zero());
      write_row(args_.out, row_offset(args_.out, run, n_.group, r), state);
      if (args_.lse.empty()) continue;
      const float lse = seen ? scratch_.max[r] + log(scratch_.sum[r]) : -__builtin_inff();
      const Index i = run.first + r / n_.group, h = run.g * n_.group + r % n_.group;
      args_.lse.as<float>()[at(args_.lse, run.b, h, i)] = lse;
    }
  }

  const AttentionArgs& args_;
  const Shape n_;
  const ForwardScratch scratch_;
  Blocks blocks_;
  const Index words_;  // in a row of q or k
  Index rows_ = 0;
  Block block_{};
  alignas(64) float tile_max_[16] = {};
  alignas(64) float tile_sum_[16] = {};
};

/// Every chunk of queries of every (batch row, kv head) start to finish. `make`: Forward on a
/// scratch.
template <typename Make>
void attend_chunks(const ForwardPlan& plan, std::byte* scratch, const Make& make) {
  const Index heads = plan.n.batch * plan.n.kv_heads;
  parallel_for(heads * plan.chunks, 1, [&](Index first, Index last) {
    Arena mine(scratch + thread_index() * plan.scratch_bytes);
    auto forward = make(mine);
    for (Index x = first; x < last; ++x) {
      // Late queries see the most keys: longest work first.
      const Index chunk = plan.chunks - 1 - x / heads, head = x % heads;
      forward.attend(head / plan.n.kv_heads, head % plan.n.kv_heads, chunk * plan.chunk,
                     smaller((chunk + 1) * plan.chunk, plan.n.queries));
    }
  });
}

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
