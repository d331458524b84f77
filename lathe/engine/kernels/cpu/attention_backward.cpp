#include "lathe/engine/kernels/cpu/attention_backward.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

using namespace attention_parts;

class F32Products {
 public:
  F32Products(const AttentionBackwardArgs& args, const Shape& n, const BackwardScratch& scratch,
              const BackwardSums& sums)
      : args_(args), n_(n), scratch_(scratch), sums_(sums) {}

  void pack_rows(const Run& run, Index rows) {
    for (Index r = 0; r < rows; ++r) {
      copy_row(args_.q, row_offset(args_.q, run, n_.group, r), scratch_.q + r * n_.padded);
      copy_row(args_.dout, row_offset(args_.dout, run, n_.group, r), scratch_.dout + r * n_.padded);
    }
  }

  void pack_block(const Run& run, const Block& block) {
    const Index key = run.start + block.origin;
    keys_ = gather_rows(args_.k, at(args_.k, run.b, key, run.g), block.count, scratch_.keys, false);
    transpose_rows(keys_, block.count, n_.padded, scratch_.keys_t);
    const Rows values = gather_rows(args_.v, at(args_.v, run.b, key, run.g), block.count,
                                    scratch_.values, /*in_place=*/true);
    transpose_rows(values, block.count, n_.padded, scratch_.values_t);
  }

  /// q k into scratch.p, dout v into scratch.ds.
  void scores(Index r, int tile, int vectors) {
    Chains x{.a = scratch_.q + r * n_.padded,
             .lda = n_.padded,
             .b = scratch_.keys_t,
             .ldb = kBlock,
             .steps = n_.size,
             .c = scratch_.p + r * kBlock,
             .ldc = kBlock,
             .fresh = true};
    chain<false>(x, tile, vectors);
    x.a = scratch_.dout + r * n_.padded;
    x.b = scratch_.values_t;
    x.c = scratch_.ds + r * kBlock;
    chain<false>(x, tile, vectors);
  }

  void round_row(Index, int) {}

  /// Rows that see the same keys go together; the ragged ends of the others one by one.
  void add_query_gradients(const Run& run, const Block& block, Index rows) {
    for (Index r = 0; r < rows; r += kTileRows) {
      const Index tile = smaller(kTileRows, rows - r);
      Range common{0, kBlock};
      for (Index i = r; i < r + tile; ++i) {
        const Range keys = inside(block, scratch_.begin[i], scratch_.end[i]);
        common = {larger(common.begin, keys.begin), smaller(common.end, keys.end)};
      }
      if (common.begin >= common.end) common = {kBlock, kBlock};
      for (Index i = r; i < r + tile; ++i) {
        const Range keys = inside(block, scratch_.begin[i], scratch_.end[i]);
        query_rows(run, i, 1, {keys.begin, smaller(common.begin, keys.end)});
      }
      query_rows(run, r, tile, common);
      for (Index i = r; i < r + tile; ++i)
        query_rows(run, i, 1, {common.end, inside(block, scratch_.begin[i], scratch_.end[i]).end});
    }
  }

  void add_key_gradients(const Run& run, const Block& block, Index rows) {
    find_rows(block, rows);
    const Index key = run.start + block.origin;
    for (Index j = 0; j < block.count; j += kTileRows) {
      const Index tile = smaller(kTileRows, block.count - j);
      Range common{seen_[j + tile - 1].begin, seen_[j].end};
      if (common.begin >= common.end) common = {rows, rows};
      for (Index i = j; i < j + tile; ++i)
        key_rows(key, i, 1, {seen_[i].begin, smaller(common.begin, seen_[i].end)});
      key_rows(key, j, tile, common);
      for (Index i = j; i < j + tile; ++i) key_rows(key, i, 1, {common.end, seen_[i].end});
    }
  }

 private:
  void query_rows(const Run& run, Index r, Index rows, Range keys) {
    chain<false>({.a = scratch_.ds + r * kBlock + keys.begin,
                  .lda = kBlock,
                  .b = keys_.data + keys.begin * keys_.ld,
                  .ldb = keys_.ld,
                  .steps = keys.end - keys.begin,
                  .c = sums_.dq + (run.first * n_.group + r) * n_.padded,
                  .ldc = n_.padded,
                  .fresh = false},
                 rows, vectors());
  }

  /// seen_[j]: the rows that see key j of the block. begin and end of the rows never decrease, so
  /// those of a key stand together, and they never decrease either.
  void find_rows(const Block& block, Index rows) {
    Index low = 0, high = 0;
    for (Index j = 0; j < block.count; ++j) {
      while (low < rows && scratch_.end[low] <= block.origin + j) ++low;
      while (high < rows && scratch_.begin[high] <= block.origin + j) ++high;
      seen_[j] = {low, larger(low, high)};
    }
  }

  /// Keys [j, j + keys) of the block that begins at key `first` take rows [rows.begin, rows.end).
  void key_rows(Index first, Index j, Index keys, Range rows) {
    Chains x{.a = scratch_.p + rows.begin * kBlock + j,
             .lda = kBlock,
             .b = scratch_.dout + rows.begin * n_.padded,
             .ldb = n_.padded,
             .steps = rows.end - rows.begin,
             .c = sums_.dv + (first + j) * n_.padded,
             .ldc = n_.padded,
             .fresh = false};
    chain<true>(x, keys, vectors());
    x.a = scratch_.ds + rows.begin * kBlock + j;
    x.b = scratch_.q + rows.begin * n_.padded;
    x.c = sums_.dk + (first + j) * n_.padded;
    chain<true>(x, keys, vectors());
  }

  int vectors() const { return static_cast<int>(n_.padded / 16); }

  const AttentionBackwardArgs& args_;
  const Shape n_;
  const BackwardScratch scratch_;
  const BackwardSums sums_;
  Rows keys_{};
  Range seen_[kBlock];
};

}  // namespace

void attention_backward(const AttentionBackwardArgs& args) noexcept {
  if (args.q.dtype == DType::f64) return reference::attention_backward(args);
  BackwardTasks<F32Products>(args).run();
}

}  // namespace lathe::kernels::LATHE_ISA
