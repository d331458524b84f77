#include "lathe/engine/kernels/attention.h"

#include "lathe/engine/kernels/cpu/attention_forward.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

using namespace attention_parts;

/// Chains of fused multiply-adds in f32; scores run across keys, values across the head size.
class F32Products {
 public:
  F32Products(const AttentionArgs& args, const Shape& n, const ForwardScratch& scratch)
      : args_(args), n_(n), scratch_(scratch) {}

  void pack_queries(const Run& run, Index rows) {
    for (Index r = 0; r < rows; ++r)
      copy_row(args_.q, row_offset(args_.q, run, n_.group, r), scratch_.q + r * n_.padded);
  }

  void pack_block(const Run& run, const Block& block, Index rows) {
    const Index key = run.start + block.origin;
    const Rows k = gather_rows(args_.k, at(args_.k, run.b, key, run.g), block.count, scratch_.keys,
                               /*in_place=*/true);
    transpose_rows(k, block.count, n_.padded, scratch_.keys_t);
    values_ = gather_rows(args_.v, at(args_.v, run.b, key, run.g), block.count, scratch_.values,
                          /*in_place=*/rows <= 4 * kTileRows);
  }

  void scores(Index r, int tile, int vectors) {
    chain<false>({.a = scratch_.q + r * n_.padded,
                  .lda = n_.padded,
                  .b = scratch_.keys_t,
                  .ldb = kBlock,
                  .steps = n_.size,
                  .c = scratch_.scores,
                  .ldc = kBlock,
                  .fresh = true},
                 tile, vectors);
  }

  /// Rows that see the same keys go together; the ragged ends of the others one by one.
  void values(const Range* keys, int tile) {
    Range common = keys[0];
    bool same = true;
    for (int i = 1; i < tile; ++i) {
      same = same && keys[i].begin == keys[0].begin && keys[i].end == keys[0].end;
      common = {larger(common.begin, keys[i].begin), smaller(common.end, keys[i].end)};
    }
    if (same) return value_rows(0, tile, common, true);
    if (common.begin >= common.end) common = {kBlock, kBlock};  // everything is below it
    for (int i = 0; i < tile; ++i)
      value_rows(i, 1, {keys[i].begin, smaller(common.begin, keys[i].end)}, true);
    value_rows(0, tile, common, false);
    for (int i = 0; i < tile; ++i) value_rows(i, 1, {common.end, keys[i].end}, false);
  }

 private:
  void value_rows(int i, int rows, Range keys, bool fresh) {
    chain<false>({.a = scratch_.scores + i * kBlock + keys.begin,
                  .lda = kBlock,
                  .b = values_.data + keys.begin * values_.ld,
                  .ldb = values_.ld,
                  .steps = keys.end - keys.begin,
                  .c = scratch_.partial + i * n_.padded,
                  .ldc = n_.padded,
                  .fresh = fresh},
                 rows, static_cast<int>(n_.padded / 16));
  }

  const AttentionArgs& args_;
  const Shape n_;
  const ForwardScratch scratch_;
  Rows values_{};
};

}  // namespace

void attention(const AttentionArgs& args) noexcept {
  if (args.q.dtype == DType::f64) return reference::attention(args);
  attend_all<F32Products>(args);
}

}  // namespace lathe::kernels::LATHE_ISA
