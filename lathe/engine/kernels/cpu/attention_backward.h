// The backward pass of attention over packed blocks: five products a block.
//
// A head task walks chunks of rows (query ascending, then head of the group) and, inside, blocks of
// keys ascending; every pair of them recomputes p and adds to dq, dk and dv. Both loops ascend, so
// every sum is the chain that the definition asks for. Where there are too few heads for the
// threads, the head is cut into a grid of cells: a cell needs the one above it (dk, dv) and the one
// to its left (dq), so the cells of one anti-diagonal run in parallel.
#pragma once

#include "lathe/base/error.h"
#include "lathe/engine/kernels/attention_plan.h"
#include "lathe/engine/kernels/cpu/attention_exp.h"
#include "lathe/engine/kernels/cpu/attention_pack.h"
#include "lathe/engine/kernels/cpu/attention_run.h"
#include "lathe/engine/kernels/cpu/attention_tiles.h"

namespace lathe::kernels::LATHE_ISA::attention_parts {

template <typename Words>
class Backward {
 public:
  Backward(const AttentionBackwardArgs& args, const BackwardPlan& plan,
           const BackwardScratch& scratch, const BackwardSums& sums)
      : args_(args),
        plan_(plan),
        n_(plan.n),
        scratch_(scratch),
        sums_(sums),
        words_(plan.n.padded / Words::kUnits) {}

  /// Adds what queries [queries.begin, queries.end) and the key blocks that begin in [keys.begin,
  /// keys.end) give.
  void add(Index b, Index g, Range queries, Range keys) {
    const Index end = aligned(b, queries.end);
    for (Index i = aligned(b, queries.begin); i < end;) {
      const Index start = start_of(args_, b, i), p = offset_of(args_, b) + i - start;
      const Index chunk_end = i + plan_.chunk - ((p % plan_.chunk) + plan_.chunk) % plan_.chunk;
      const Index next = run_end(args_, b, i, smaller(end, chunk_end));
      add_rows({b, g, i, next - i, start}, keys);
      i = next;
    }
  }

 private:
  /// Query i, or the one behind it where i would part two rows that the native bf16 products take
  /// as a pair.
  Index aligned(Index b, Index i) const {
    if (i <= 0 || i >= n_.queries || start_of(args_, b, i) != start_of(args_, b, i - 1)) return i;
    return i + ((offset_of(args_, b) + i - start_of(args_, b, i)) & 1);
  }

  void add_rows(const Run& run, Range keys) {
    rows_ = run.count * n_.group;
    visible_rows(args_, run, n_.group, scratch_.begin, scratch_.end);
    const Index low = larger(scratch_.begin[0], keys.begin - run.start);
    const Index high = smaller(scratch_.end[rows_ - 1], keys.end - run.start);
    // A block belongs to the cell in which it begins.
    Index origin = scratch_.begin[0] / kBlock * kBlock;
    if (keys.begin > run.start) origin = larger(origin, round_up(keys.begin - run.start, kBlock));
    if (low >= high || origin >= high) return;
    open(run);
    for (; origin < high; origin += kBlock) {
      block_ = {origin, smaller(kBlock, scratch_.end[rows_ - 1] - origin)};
      pack_block(run);
      for (Index r = 0; r < rows_; r += kTileRows)
        pair_tile(r, static_cast<int>(smaller(kTileRows, rows_ - r)));
      add_query_gradients(run);
      add_key_gradients(run.start + origin);
    }
  }

  void open(const Run& run) {
    for (Index r = 0; r < rows_; ++r) {
      const Index i = run.first + r / n_.group, h = run.g * n_.group + r % n_.group;
      copy_words<Words>(args_.q, at(args_.q, run.b, i, h), scratch_.q + r * words_);
      copy_words<Words>(args_.dout, at(args_.dout, run.b, i, h), scratch_.dout + r * words_);
      scratch_.lse[r] = args_.lse.as<float>()[at(args_.lse, run.b, h, i)];
      scratch_.delta[r] = delta(run, r);
    }
    if constexpr (Words::kUnits == 2) {
      lead_ = ((offset_of(args_, run.b) + run.first - run.start) * n_.group) & 1;
      join_rows({scratch_.q, words_}, {lead_, rows_}, n_.padded, scratch_.q_joined);
      join_rows({scratch_.dout, words_}, {lead_, rows_}, n_.padded, scratch_.dout_joined);
    }
  }

  void pack_block(const Run& run) {
    const Index key = run.start + block_.origin, count = block_.count;
    const Index k = at(args_.k, run.b, key, run.g), v = at(args_.v, run.b, key, run.g);
    keys_ = gather_rows<Words>(args_.k, k, count, scratch_.keys, Words::kUnits == 2);
    transpose_rows(keys_, count, words_, scratch_.keys_t);
    const Rows values = gather_rows<Words>(args_.v, v, count, scratch_.values, true);
    transpose_rows(values, count, words_, scratch_.values_t);
    if constexpr (Words::kUnits == 2) {
      join_rows(keys_, {0, count}, n_.padded, scratch_.keys_joined);
      keys_ = {scratch_.keys_joined, n_.padded};
    }
    prefetch_block(args_.k, run.b, key + kBlock, run.g);
    prefetch_block(args_.v, run.b, key + kBlock, run.g);
  }

  float delta(const Run& run, Index r) const {
    alignas(64) float dout[kMaxHeadSize], out[kMaxHeadSize];
    copy_row(args_.dout, row_offset(args_.dout, run, n_.group, r), dout);
    copy_row(args_.out, row_offset(args_.out, run, n_.group, r), out);
    F32x16 sum = zero();
    for (Index d = 0; d < n_.padded; d += 16) sum = fma(load(dout + d), load(out + d), sum);
    return add_lanes(sum);
  }

  /// p and ds of rows [r, r + tile) and the block, zero where not visible.
  void pair_tile(Index r, int tile) {
    const Index last = inside(block_, 0, scratch_.end[r + tile - 1]).end;
    const bool nothing = last == 0 || scratch_.begin[r] >= block_.origin + kBlock;
    const int vectors = nothing ? 0 : static_cast<int>((last + 15) / 16);
    if (vectors > 0) score_tile(r, tile, vectors);
    for (int i = 0; i < tile; ++i) {
      pair_row(r + i, vectors, inside(block_, scratch_.begin[r + i], scratch_.end[r + i]));
      if constexpr (Words::kUnits == 2)  // the other row of a pair may see what this one does not
        for (int v = vectors; v < kBlock / 16; ++v) {
          Words::put(scratch_.p + (r + i) * kBlock, v, zero());
          Words::put(scratch_.ds + (r + i) * kBlock, v, zero());
        }
    }
  }

  /// Products of q and k into p, of dout and v into ds.
  void score_tile(Index r, int tile, int vectors) {
    Chains x{.a = scratch_.q + r * words_,
             .lda = words_,
             .b = scratch_.keys_t,
             .ldb = kBlock,
             .steps = (n_.size + Words::kUnits - 1) / Words::kUnits,
             .c = scratch_.p + r * kBlock,
             .ldc = kBlock,
             .fresh = true};
    chain<Words, false>(x, tile, vectors);
    x.a = scratch_.dout + r * words_;
    x.b = scratch_.values_t;
    x.c = scratch_.ds + r * kBlock;
    chain<Words, false>(x, tile, vectors);
  }

  void pair_row(Index r, int vectors, Range keys) {
    if (keys.begin == 0 && keys.end == kBlock)
      return pair_row<4>(r, [](F32x16 x, int) { return x; });
    const auto hidden = [&](F32x16 x, int v) { return hide(x, keys, 16 * v, zero()); };
    switch (vectors) {
      case 0:
        return;
      case 1:
        return pair_row<1>(r, hidden);
      case 2:
        return pair_row<2>(r, hidden);
      case 3:
        return pair_row<3>(r, hidden);
      default:
        return pair_row<4>(r, hidden);
    }
  }

  template <int V, typename Mask>
  LATHE_INLINE void pair_row(Index r, Mask mask) {
    const F32x16 scale = splat(args_.scale), cap = splat(args_.soft_cap), one = splat(1.0f);
    const F32x16 lse = splat(scratch_.lse[r]), delta = splat(scratch_.delta[r]);
    float *row = scratch_.p + r * kBlock, *ds_row = scratch_.ds + r * kBlock;
    const bool capped = args_.soft_cap != 0.0f;
    F32x16 s[V], p[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) s[v] = load(row + 16 * v) * scale;
    if (capped)
      for (int v = 0; v < V; ++v) s[v] = cap * tanh(s[v] / cap);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) p[v] = s[v] - lse;
    exp_each(p);
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      F32x16 ds = p[v] * (load(ds_row + 16 * v) - delta);
      if (capped) ds = ds * (one - (s[v] / cap) * (s[v] / cap));
      Words::put(row, v, mask(p[v], v));
      Words::put(ds_row, v, mask(ds * scale, v));
    }
  }

  void add_query_gradients(const Run& run) {
    for (Index r = 0; r < rows_; r += kTileRows) {
      const Index tile = smaller(kTileRows, rows_ - r);
      Range keys[kTileRows];
      for (Index i = 0; i < tile; ++i)
        keys[i] = inside(block_, scratch_.begin[r + i], scratch_.end[r + i]);
      const Chains x{.a = scratch_.ds + r * kBlock,
                     .lda = kBlock,
                     .b = keys_.data,
                     .ldb = keys_.ld,
                     .steps = 0,
                     .c = sums_.dq + (run.first * n_.group + r) * n_.padded,
                     .ldc = n_.padded,
                     .fresh = false};
      chain_ragged<Words, false>(x, tile, vectors(), keys);
    }
  }

  /// dv and dk of the block, whose first key is `key`.
  void add_key_gradients(Index key) {
    constexpr bool kPairs = Words::kUnits == 2;
    if constexpr (kPairs) {
      join_rows({scratch_.p, kBlock}, {lead_, rows_}, kBlock, scratch_.p_joined);
      join_rows({scratch_.ds, kBlock}, {lead_, rows_}, kBlock, scratch_.ds_joined);
    }
    find_rows();
    for (Index j = 0; j < block_.count; j += kTileRows) {
      const Index tile = smaller(kTileRows, block_.count - j);
      Chains x{.a = (kPairs ? scratch_.p_joined : scratch_.p) + j,
               .lda = kBlock,
               .b = kPairs ? scratch_.dout_joined : scratch_.dout,
               .ldb = n_.padded,
               .steps = 0,
               .c = sums_.dv + (key + j) * n_.padded,
               .ldc = n_.padded,
               .fresh = false};
      chain_ragged<Words, true>(x, tile, vectors(), seen_ + j);
      x.a = (kPairs ? scratch_.ds_joined : scratch_.ds) + j;
      x.b = kPairs ? scratch_.q_joined : scratch_.q;
      x.c = sums_.dk + (key + j) * n_.padded;
      chain_ragged<Words, true>(x, tile, vectors(), seen_ + j);
    }
  }

  /// seen_[j]: the rows that see key j of the block, counted with the lead. begin and end of the
  /// rows never decrease, so those of a key stand together.
  void find_rows() {
    Index low = 0, high = 0;
    for (Index j = 0; j < block_.count; ++j) {
      while (low < rows_ && scratch_.end[low] <= block_.origin + j) ++low;
      while (high < rows_ && scratch_.begin[high] <= block_.origin + j) ++high;
      seen_[j] = {lead_ + low, lead_ + larger(low, high)};
    }
  }

  int vectors() const { return static_cast<int>(n_.padded / 16); }

  const AttentionBackwardArgs& args_;
  const BackwardPlan& plan_;
  const Shape n_;
  const BackwardScratch scratch_;
  const BackwardSums sums_;
  const Index words_;  // in a row of q, k, v or dout
  Index rows_ = 0;
  Index lead_ = 0;  // bf16: 1 where the first row is the second of its pair
  Block block_{};
  Rows keys_{};
  Range seen_[kBlock];
};

/// Zeroes a head's sums.
inline void clear_sums(const BackwardSums& sums, const Shape& n) {
  for (Index x = 0; x < n.queries * n.group * n.padded; x += 16) store(sums.dq + x, zero());
  for (Index x = 0; x < n.keys * n.padded; x += 16) {
    store(sums.dk + x, zero());
    store(sums.dv + x, zero());
  }
}

/// Writes a head's sums into dq, dk and dv.
inline void write_sums(const AttentionBackwardArgs& args, const BackwardSums& sums, Index b,
                       Index g) {
  const Shape n = shape_of(args);
  const Run all{b, g, 0, n.queries, 0};
  for (Index r = 0; r < n.queries * n.group; ++r)
    write_row(args.dq, row_offset(args.dq, all, n.group, r), sums.dq + r * n.padded);
  for (Index j = 0; j < n.keys; ++j) {
    write_row(args.dk, at(args.dk, b, j, g), sums.dk + j * n.padded);
    write_row(args.dv, at(args.dv, b, j, g), sums.dv + j * n.padded);
  }
}

/// Whether two queries see a common key only if their documents begin at the same key, and every
/// document's queries stand together: then cells of an anti-diagonal never touch the same sums.
inline bool documents_are_apart(const AttentionArgs& args) {
  const Shape n = shape_of(args);
  for (Index b = 0; b < n.batch; ++b) {
    const Index offset = offset_of(args, b);
    for (Index i = 1; i < n.queries; ++i) {
      const Index start = start_of(args, b, i);
      if (start == start_of(args, b, i - 1)) continue;
      if (!args.causal || start < offset + i) return false;
    }
  }
  return true;
}

template <typename Words>
class BackwardTasks {
 public:
  explicit BackwardTasks(const AttentionBackwardArgs& args)
      : args_(args), plan_(plan_backward(args)), n_(plan_.n) {
    LATHE_DCHECK(args.workspace_bytes >= plan_.bytes);
    Arena arena(args.workspace);
    scratch_ = arena.take<std::byte>(thread_count() * plan_.scratch_bytes);
    sums_ = arena.take<std::byte>(0);
  }

  void run() {
    if (plan_.cell > 0 && documents_are_apart(args_)) return run_grid();
    parallel_for(heads(), 1, [&](Index first, Index last) {
      for (Index head = first; head < last; ++head) {
        const BackwardSums sums = slot(thread_index());
        clear_sums(sums, n_);
        add(head, sums, {0, n_.queries}, {0, n_.keys});
        write_sums(args_, sums, head / n_.kv_heads, head % n_.kv_heads);
      }
    });
  }

 private:
  Index heads() const { return n_.batch * n_.kv_heads; }

  BackwardSums slot(Index x) const {
    Arena arena(sums_ + x * plan_.sum_bytes);
    return BackwardSums(arena, n_);
  }

  void add(Index head, const BackwardSums& sums, Range queries, Range keys) {
    Arena arena(scratch_ + thread_index() * plan_.scratch_bytes);
    Backward<Words> backward(args_, plan_, BackwardScratch(arena, plan_.rows, args_), sums);
    backward.add(head / n_.kv_heads, head % n_.kv_heads, queries, keys);
  }

  void run_grid() {
    parallel_for(heads(), 1, [&](Index first, Index last) {
      for (Index head = first; head < last; ++head) clear_sums(slot(head), n_);
    });
    const Index rows = (n_.queries + plan_.cell - 1) / plan_.cell;
    const Index columns = (n_.keys + plan_.cell - 1) / plan_.cell;
    for (Index wave = 0; wave < rows + columns - 1; ++wave) {
      const Index low = larger(0, wave - columns + 1), cells = smaller(rows - 1, wave) - low + 1;
      parallel_for(heads() * cells, 1, [&](Index first, Index last) {
        for (Index x = first; x < last; ++x) {
          const Index row = low + x / heads(), column = wave - row;
          add(x % heads(), slot(x % heads()), cell(row, n_.queries), cell(column, n_.keys));
        }
      });
    }
    parallel_for(heads(), 1, [&](Index first, Index last) {
      for (Index head = first; head < last; ++head)
        write_sums(args_, slot(head), head / n_.kv_heads, head % n_.kv_heads);
    });
  }

  Range cell(Index x, Index limit) const {
    return {x * plan_.cell, smaller((x + 1) * plan_.cell, limit)};
  }

  const AttentionBackwardArgs& args_;
  const BackwardPlan plan_;
  const Shape n_;
  std::byte *scratch_, *sums_;
};

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
