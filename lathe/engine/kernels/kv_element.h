// Single elements of a page (kv_layout.h): for the plain loops and for texts that begin inside a
// page. Internal to kernels/. All LATHE_INLINE, because it is compiled for several instruction
// sets.
#pragma once

#include "lathe/engine/kernels/attention_shape.h"
#include "lathe/engine/kernels/kv_pages.h"

namespace lathe::kernels::attention_detail {

LATHE_INLINE Index kv_first(const KvPages& p, Index b) {
  return p.first.as<std::int32_t>()[b * p.first.strides[0]];
}

LATHE_INLINE Index kv_heads_of(const KvPages& p, const KvLayout& y) {
  return p.pages.dims[1] / y.bytes;
}

/// The stretch of kv head g in the page that holds key j of batch row b.
LATHE_INLINE std::byte* kv_head(const KvPages& p, const KvLayout& y, Index b, Index j, Index g) {
  const Index page =
      p.table.as<std::int32_t>()[b * p.table.strides[0] + j / kKvPage * p.table.strides[1]];
  return p.pages.as<std::byte>() + page * p.pages.strides[0] + g * y.bytes;
}

/// Index of an element, in elements of the type, among the keys (values) of a head.
LATHE_INLINE Index kv_key_index(KvType type, const KvLayout& y, Index j, Index d) {
  if (type == KvType::bf16)
    return ((j / 16 * ((y.size + 1) / 2) + d / 2) * 16 + j % 16) * 2 + d % 2;
  return (j / 16 * y.size + d) * 16 + j % 16;
}
LATHE_INLINE Index kv_value_index(KvType type, Index j, Index d) {
  if (type == KvType::bf16) return ((d / 16 * (kKvPage / 2) + j / 2) * 16 + d % 16) * 2 + j % 2;
  return (d / 16 * kKvPage + j) * 16 + d % 16;
}
/// Index of a scale among those of the keys (values).
LATHE_INLINE Index kv_key_scale(const KvLayout& y, Index j, Index block) {
  const Index blocks = (y.size + kKvScaled - 1) / kKvScaled;
  return (j / 16 * blocks + block) * 16 + j % 16;
}
LATHE_INLINE Index kv_value_scale(Index j, Index block) { return block * kKvPage + j; }

LATHE_INLINE float kv_read(KvType type, const std::byte* elements, const std::byte* scales,
                           Index at, Index scale) {
  switch (type) {
    case KvType::f32:
      return reinterpret_cast<const float*>(elements)[at];
    case KvType::bf16:
      return to_f32(reinterpret_cast<const bf16_t*>(elements)[at]);
    default:
      return static_cast<float>(reinterpret_cast<const std::int8_t*>(elements)[at]) *
             reinterpret_cast<const float*>(scales)[scale];
  }
}

LATHE_INLINE float kv_key(KvType type, const KvLayout& y, const std::byte* head, Index j, Index d) {
  return kv_read(type, head, head + y.key_scales, kv_key_index(type, y, j, d),
                 kv_key_scale(y, j, d / kKvScaled));
}
LATHE_INLINE float kv_value(KvType type, const KvLayout& y, const std::byte* head, Index j,
                            Index d) {
  return kv_read(type, head + y.values, head + y.value_scales, kv_value_index(type, j, d),
                 kv_value_scale(j, d / kKvScaled));
}

/// The arguments that paged and dense attention share, as the dense one takes them; k has
/// dimensions and no data.
LATHE_INLINE AttentionArgs dense_args(const AttentionPagedArgs& a) {
  const KvLayout y = kv_layout(a.pages.type, a.q.dims[3]);
  AttentionArgs d;
  d.q = a.q, d.out = a.out, d.document_start = a.document_start;
  d.query_offsets = a.pages.first;
  d.k.rank = 4;
  d.k.dims[0] = a.q.dims[0], d.k.dims[1] = a.pages.table.dims[1] * kKvPage;
  d.k.dims[2] = kv_heads_of(a.pages, y), d.k.dims[3] = a.q.dims[3];
  d.k.dtype = a.pages.type == KvType::bf16 ? DType::bf16 : DType::f32;
  d.v.dtype = d.k.dtype;
  d.scale = a.scale, d.soft_cap = a.soft_cap, d.window = a.window;
  return d;
}

}  // namespace lathe::kernels::attention_detail
