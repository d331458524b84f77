// Attention over pages (kernels/kv_layout.h).
//
// Pages are panels already: nothing is transposed. Few rows (decoding) read them as they lie; many
// rows (prefill) share a block that is widened once. A text that begins inside a page has its
// blocks gathered from two.
#pragma once

#include "lathe/engine/kernels/cpu/attention_forward.h"
#include "lathe/engine/kernels/cpu/attention_page_tiles.h"
#include "lathe/engine/kernels/kv_element.h"
#include "lathe/engine/kernels/paged_plan.h"

namespace lathe::kernels::LATHE_ISA::attention_parts {

template <typename W, KvType kType>
class PagedBlocks {
 public:
  using Words = W;

  PagedBlocks(const AttentionPagedArgs& args, const PagedScratch& scratch)
      : pages_(args.pages), layout_(kv_layout(kType, args.q.dims[3])), scratch_(scratch) {}

  void announce(const Run& run, Index origin) const {
    if ((run.start + origin) % kKvPage != 0) return;
    const std::byte* head = kv_head(pages_, layout_, run.b, run.start + origin, run.g);
    const Index bytes = smaller(layout_.bytes, PageAhead::kAheadBytes);
    for (Index at = 0; at < bytes; at += 64) __builtin_prefetch(head + at, 0, 3);
  }

  void bring(const Run& run, const Block& block, Index rows, bool more) {
    const Index key = run.start + block.origin;
    if (key % kKvPage == 0) {
      head_ = kv_head(pages_, layout_, run.b, key, run.g);
      const bool next = more && rows <= kTileRows;
      ahead_ = {head_, next ? kv_head(pages_, layout_, run.b, key + kKvPage, run.g) : nullptr,
                layout_.bytes};
    } else {
      gather(run, key, block.count);
      ahead_ = {head_, nullptr, 0};
    }
    direct_ = Words::kUnits == 1 && rows <= kTileRows;
    if constexpr (!kInPlace)
      if (!direct_) widen(block.count);
  }

  void scores(Chains x, int tile, int vectors) const {
    if (direct_) return direct_scores(x, tile, vectors);
    x.b = kInPlace ? words(head_) : scratch_.keys;
    x.ldb = 16;
    x.panel = kInPlace ? layout_.key_panel / 4 : layout_.size * 16;
    chain<Words, false>(x, tile, vectors);
  }

  void values(Chains x, int tile, const Range* keys) const {
    const int panels = static_cast<int>(layout_.panels);
    if (direct_) return direct_values(x, tile, panels, keys);
    x.b = kInPlace ? words(head_ + layout_.values) : scratch_.values;
    x.ldb = 16;
    x.panel = kInPlace ? layout_.value_panel / 4 : kKvPage * 16;
    chain_ragged<Words, false>(x, tile, panels, keys);
  }

 private:
  /// Whether the ordinary tiles read a page as it lies.
  static constexpr bool kInPlace = kType == KvType::f32 || Words::kUnits == 2;

  static const float* words(const std::byte* p) { return reinterpret_cast<const float*>(p); }
  /// Register i of the keys' panels.
  auto key_part(Index i) const {
    const Index panel = i / kParts, lane = i % kParts * kLanes;
    const std::byte* data = head_ + panel * layout_.key_panel;
    if constexpr (kType == KvType::f32) return F32Part{words(data) + lane};
    if constexpr (kType == KvType::bf16) return Bf16Part{words(data) + lane};
    if constexpr (kType == KvType::q8_0) {
      const Index blocks = (layout_.size + kKvScaled - 1) / kKvScaled;
      return Q8KeyPart{data + lane, words(head_ + layout_.key_scales) + panel * blocks * 16 + lane};
    }
  }
  auto value_part(Index i) const {
    const Index panel = i / kParts, lane = i % kParts * kLanes;
    const std::byte* data = head_ + layout_.values + panel * layout_.value_panel;
    if constexpr (kType == KvType::f32) return F32Part{words(data) + lane};
    if constexpr (kType == KvType::bf16) return Bf16Part{words(data) + lane};
    if constexpr (kType == KvType::q8_0)
      return Q8ValuePart{data + lane,
                         words(head_ + layout_.value_scales) + panel * 16 / kKvScaled * kKvPage};
  }

  void direct_scores(const Chains& x, int tile, int vectors) const {
    const PageChains chains{x.a, x.lda, {0, layout_.size}, x.c, x.ldc, nullptr};
    page_chain(
        chains, tile, vectors, [&](int i) { return key_part(i); },
        [&](int i) { return ahead_.from(head_ + i * layout_.key_panel / kParts); });
  }

  void direct_values(const Chains& x, int tile, int panels, const Range* keys) const {
    bool same = true;
    for (int r = 1; r < tile; ++r)
      same = same && keys[r].begin == keys[0].begin && keys[r].end == keys[0].end;
    const std::byte* begin = head_ + layout_.values;
    for (int r = 0; r < tile; r += same ? tile : 1) {
      const PageChains chains{x.a + r * x.lda, x.lda, keys[r], x.c + r * x.ldc, x.ldc, nullptr};
      page_chain(
          chains, same ? tile : 1, panels, [&](int i) { return value_part(i); },
          [&](int i) { return ahead_.from(begin + i * layout_.value_panel / kParts); });
    }
  }

  /// The block as f32 panels.
  void widen(Index count) {
    const Index keys = (count + 15) / 16 * kParts, values = layout_.panels * kParts;
    for (Index i = 0; i < keys; ++i)
      widen_part(key_part(i), layout_.size, scratch_.keys + register_at(i, layout_.size));
    for (Index i = 0; i < values; ++i)
      widen_part(value_part(i), count, scratch_.values + register_at(i, kKvPage));
  }
  /// Where register i begins in f32 panels of so many steps.
  static Index register_at(Index i, Index steps) {
    return i / kParts * steps * 16 + i % kParts * kLanes;
  }

  template <typename Part>
  static void widen_part(const Part& part, Index steps, float* to) {
    Index t = 0;
    for (; t + 2 <= steps; t += 2) {
      store_lanes(to + t * 16, part.template lanes<0>(t));
      store_lanes(to + t * 16 + 16, part.template lanes<1>(t + 1));
    }
    if (t < steps) store_lanes(to + t * 16, part.template lanes<0>(t));
  }

  /// Keys [key, key + count), which lie in two pages, as one page.
  void gather(const Run& run, Index key, Index count) {
    constexpr Index kBytes = kType == KvType::f32 ? 4 : kType == KvType::bf16 ? 2 : 1;
    std::byte* to = scratch_.page;
    const auto copy = [](std::byte* y, Index i, const std::byte* x, Index j, Index bytes) {
      __builtin_memcpy(y + i * bytes, x + j * bytes, static_cast<std::size_t>(bytes));
    };
    for (Index j = 0; j < count; ++j) {
      const Index from = (key + j) % kKvPage;
      const std::byte* head = kv_head(pages_, layout_, run.b, key + j, run.g);
      const Index whole = round_up(layout_.size, kType == KvType::bf16 ? 2 : 1);
      for (Index d = 0; d < whole; ++d)
        copy(to, kv_key_index(kType, layout_, j, d), head, kv_key_index(kType, layout_, from, d),
             kBytes);
      for (Index d = 0; d < layout_.size; ++d)
        copy(to + layout_.values, kv_value_index(kType, j, d), head + layout_.values,
             kv_value_index(kType, from, d), kBytes);
      for (Index x = 0; kType == KvType::q8_0 && x * kKvScaled < layout_.size; ++x) {
        copy(to + layout_.key_scales, kv_key_scale(layout_, j, x), head + layout_.key_scales,
             kv_key_scale(layout_, from, x), 4);
        copy(to + layout_.value_scales, kv_value_scale(j, x), head + layout_.value_scales,
             kv_value_scale(from, x), 4);
      }
    }
    head_ = to;
  }

  const KvPages& pages_;
  const KvLayout layout_;
  const PagedScratch scratch_;
  const std::byte* head_ = nullptr;
  PageAhead ahead_{};
  bool direct_ = false;
};

/// A call of attention_paged.
template <typename Words, KvType kType>
class PagedAttention {
 public:
  explicit PagedAttention(const AttentionPagedArgs& args)
      : args_(args), dense_(dense_args(args)), plan_(plan_paged(args)) {
    LATHE_DCHECK(args.workspace_bytes >= plan_.forward.bytes);
    const Shape& n = plan_.forward.n;
    Arena arena(args.workspace);
    scratch_ = arena.take<std::byte>(thread_count() * plan_.forward.scratch_bytes);
    rows_ = arena.take<PagedRow>(plan_.few ? n.batch : 0);
    left_ = arena.take<PiecesLeft>(plan_.split ? n.batch * n.kv_heads : 0);
    records_ = arena.take<float>(0);
  }

  void run() {
    if (!plan_.few) {
      attend_chunks(plan_.forward, scratch_, [&](Arena& mine) { return forward(mine); });
      return;
    }
    parallel_for(cut(), 1, [&](Index first, Index last) {
      Arena mine(scratch_ + thread_index() * plan_.forward.scratch_bytes);
      auto forward = this->forward(mine);
      for (Index x = first; x < last; ++x) piece(x, forward);
    });
  }

 private:
  using Attend = Forward<PagedBlocks<Words, kType>>;

  Attend forward(Arena& arena) const {
    const ForwardPlan& f = plan_.forward;
    const PagedScratch scratch(arena, f.rows, f.n.padded, plan_.page_bytes);
    return {dense_, f, scratch, PagedBlocks<Words, kType>(args_, scratch)};
  }

  /// Cuts the work of all rows and returns the number of pieces.
  Index cut() {
    const Shape& n = plan_.forward.n;
    Index blocks = 0, pieces = 0;
    for (Index b = 0; b < n.batch; ++b) {
      rows_[b] = seen_blocks(b);
      blocks += (rows_[b].end - rows_[b].begin) * n.kv_heads;
    }
    // A piece begins with a block that nothing has fetched: not too many of them.
    const Index grain = plan_.split ? larger(4, blocks / (8 * thread_count())) : blocks + 1;
    grain_ = grain;
    for (Index b = 0; b < n.batch; ++b) {
      PagedRow& row = rows_[b];
      row.first_piece = pieces;
      row.pieces_a_head = larger(1, (row.end - row.begin + grain - 1) / grain);
      pieces += row.pieces_a_head * n.kv_heads;
      for (Index g = 0; plan_.split && g < n.kv_heads; ++g)
        new (left_ + b * n.kv_heads + g) PiecesLeft(static_cast<std::int32_t>(row.pieces_a_head));
    }
    return pieces;
  }

  /// From the first block that a query of the row sees to the last one.
  PagedRow seen_blocks(Index b) const {
    PagedRow row{plan_.forward.blocks, 0, 0, 0};
    for (Index i = 0; i < plan_.forward.n.queries; ++i) {
      const Index start = start_of(dense_, b, i);
      const Range keys = visible(dense_, start, offset_of(dense_, b) + i);
      if (keys.begin == keys.end) continue;
      row.begin = smaller(row.begin, (keys.begin - start) / kBlock);
      row.end = larger(row.end, (keys.end - start + kBlock - 1) / kBlock);
    }
    return {smaller(row.begin, row.end), row.end, 0, 0};
  }

  void piece(Index x, Attend& forward) {
    const Shape& n = plan_.forward.n;
    Index b = 0;
    while (b + 1 < n.batch && x >= rows_[b + 1].first_piece) ++b;
    const PagedRow& row = rows_[b];
    const Index g = (x - row.first_piece) / row.pieces_a_head;
    if (row.pieces_a_head == 1) return forward.attend(b, g, 0, n.queries);
    const Index head = b * n.kv_heads + g;
    float* records =
        records_ + head * plan_.forward.rows * plan_.forward.blocks * plan_.forward.record;
    const Index from = row.begin + (x - row.first_piece) % row.pieces_a_head * grain_;
    forward.partials(b, g, {from, smaller(from + grain_, row.end)}, plan_.forward, records);
    if (left_[head].fetch_sub(1, std::memory_order_acq_rel) == 1)
      forward.merge_all(b, g, plan_.forward, records);
  }

  const AttentionPagedArgs& args_;
  const AttentionArgs dense_;
  const PagedPlan plan_;
  std::byte* scratch_;
  PagedRow* rows_;
  PiecesLeft* left_;
  float* records_;
  Index grain_ = 1;  // blocks of a piece
};

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
