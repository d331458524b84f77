// Rows and blocks, as the forward and backward drivers cut them.
#pragma once

#include "lathe/engine/kernels/attention_shape.h"
#include "lathe/engine/kernels/cpu/vec.h"

namespace lathe::kernels::LATHE_ISA::attention_parts {

using namespace attention_detail;

/// Consecutive queries of one batch row and one kv head whose document begins at the same key.
/// Their rows: query ascending, then head of the group.
struct Run {
  Index b, g;
  Index first, count;  // queries
  Index start;         // first key of their document
};

/// A block of keys of that document: [start + origin, start + origin + count).
struct Block {
  Index origin, count;
};

/// Fills begin and end of every row: its visible keys, counted from the document's start.
LATHE_INLINE void visible_rows(const AttentionArgs& args, const Run& run, Index group,
                               std::int32_t* begin, std::int32_t* end) {
  const Index offset = offset_of(args, run.b);
  for (Index i = 0, r = 0; i < run.count; ++i) {
    const Range keys = visible(args, run.start, offset + run.first + i);
    for (Index h = 0; h < group; ++h, ++r) {
      begin[r] = static_cast<std::int32_t>(keys.begin - run.start);
      end[r] = static_cast<std::int32_t>(keys.end - run.start);
    }
  }
}

/// The part of keys [begin, end) that lies in the block, counted from its origin.
LATHE_INLINE Range inside(const Block& block, Index begin, Index end) {
  const Index from = smaller(kAttentionBlock, larger(0, begin - block.origin));
  return {from, larger(from, smaller(kAttentionBlock, end - block.origin))};
}

/// `other` in the lanes of keys outside `keys`; `first` is the key of lane 0.
LATHE_INLINE F32x16 hide(F32x16 x, Range keys, Index first, F32x16 other) {
  const Index from = smaller(16, larger(0, keys.begin - first));
  const Index to = smaller(16, larger(0, keys.end - first));
  return select_mask(((1u << to) - 1) & ~((1u << from) - 1), x, other);
}

/// Offset of the row's query and head in a [B,Tq,H,D] view.
LATHE_INLINE Index row_offset(const View& v, const Run& run, Index group, Index r) {
  return at(v, run.b, run.first + r / group, run.g * group + r % group);
}

}  // namespace lathe::kernels::LATHE_ISA::attention_parts
