// What every attention kernel asks of its arguments: sizes, visible keys, runs of queries.
// Internal to kernels/. All LATHE_INLINE, because it is compiled for several instruction sets.
#pragma once

#include <cstdint>

#include "lathe/engine/kernels/attention.h"
#include "lathe/engine/kernels/math.h"

namespace lathe::kernels::attention_detail {

using Index = std::int64_t;

LATHE_INLINE Index smaller(Index a, Index b) { return a < b ? a : b; }
LATHE_INLINE Index larger(Index a, Index b) { return a > b ? a : b; }
LATHE_INLINE Index round_up(Index n, Index unit) { return (n + unit - 1) / unit * unit; }

struct Shape {
  Index batch, queries, keys, heads, kv_heads;
  Index group;   // heads that share a kv head
  Index size;    // D
  Index padded;  // D rounded up to 16
};

LATHE_INLINE Shape shape_of(const AttentionArgs& a) {
  const Index heads = a.q.dims[2], kv_heads = a.k.dims[2], size = a.q.dims[3];
  return {.batch = a.q.dims[0],
          .queries = a.q.dims[1],
          .keys = a.k.dims[1],
          .heads = heads,
          .kv_heads = kv_heads,
          .group = kv_heads > 0 ? heads / kv_heads : 0,
          .size = size,
          .padded = round_up(size, 16)};
}

LATHE_INLINE Index offset_of(const AttentionArgs& a, Index b) {
  return a.query_offsets.empty()
             ? a.query_offset
             : a.query_offsets.as<std::int32_t>()[b * a.query_offsets.strides[0]];
}

LATHE_INLINE Index start_of(const AttentionArgs& a, Index b, Index i) {
  if (a.document_start.empty()) return 0;
  const View& v = a.document_start;
  return larger(0, v.as<std::int32_t>()[b * v.strides[0] + i * v.strides[1]]);
}

struct Range {
  Index begin, end;
};

/// Keys that a query at position p of a document that begins at `start` sees; end >= begin.
LATHE_INLINE Range visible(const AttentionArgs& a, Index start, Index p) {
  const Index begin = a.window > 0 ? larger(start, p - a.window + 1) : start;
  const Index end = a.causal ? smaller(a.k.dims[1], p + 1) : a.k.dims[1];
  return {begin, larger(begin, end)};
}

/// First query after i (at most `limit`) whose document starts elsewhere: [i, result) is a run.
LATHE_INLINE Index run_end(const AttentionArgs& a, Index b, Index i, Index limit) {
  if (a.document_start.empty()) return limit;
  const Index start = start_of(a, b, i);
  Index end = i + 1;
  while (end < limit && start_of(a, b, end) == start) ++end;
  return end;
}

/// Whether the native bf16 products may take the call.
LATHE_INLINE bool all_bf16(const AttentionArgs& a) {
  return a.q.dtype == DType::bf16 && a.k.dtype == DType::bf16 && a.v.dtype == DType::bf16;
}

/// Element offset of [b, t, h, 0].
LATHE_INLINE Index at(const View& v, Index b, Index t, Index h) {
  return b * v.strides[0] + t * v.strides[1] + h * v.strides[2];
}

}  // namespace lathe::kernels::attention_detail
