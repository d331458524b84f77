// Writing into pages of keys and values (kv_layout.h), and attention over them.
#pragma once

#include "lathe/engine/kernels/attention.h"
#include "lathe/engine/kernels/kv_layout.h"

namespace lathe::kernels {

static_assert(kKvPage == kAttentionBlock);

/// Where the keys of the batch rows are. Key j of row b lies in page table[b, j / 64]; an entry is
/// read only where a key of its page is written or seen. Token t of a call is key first[b] + t of
/// its row. Tokens with a negative key are not there: nothing is written, their results are zero;
/// so rows may bring fewer tokens than others (the last of T), or rest. Shapes: pages u8 [P, bytes
/// of a page] (any stride between pages that is a multiple of 4), table i32 [B,N], first i32 [B].
struct KvPages {
  View pages, table, first;
  KvType type = KvType::f32;
};

/// Writes new keys and values behind the old ones.
/// Shapes: k, v [B,T,K,D], unit stride in the last dimension. Dtypes: each f32 or bf16.
struct KvWriteArgs {
  KvPages to;
  View k, v;
};

/// Attention of T new queries a row, whose keys are in the pages already, over all keys so far:
/// the definition of attention.h with offset = first[b], causal.
/// Shapes: q, out [B,T,H,D]; document_start i32 [B,T] or empty (0). Dtypes: q, out each f32 or
/// bf16. At Isa::avx512_bf16 products are native where q and the pages are bf16. Thread rule: one
/// call per workspace at a time.
struct AttentionPagedArgs {
  View q;
  KvPages pages;
  View document_start, out;
  float scale = 1.0f;
  float soft_cap = 0.0f;    // 0: none
  std::int64_t window = 0;  // 0: none
  void* workspace = nullptr;
  std::int64_t workspace_bytes = 0;
};

/// Bytes of workspace for the present thread_count(); depends on shapes alone.
std::int64_t attention_paged_workspace(const AttentionPagedArgs& args);

LATHE_KERNEL(kv_write, KvWriteArgs)
LATHE_KERNEL(attention_paged, AttentionPagedArgs)

namespace avx512_bf16 {
void attention_paged(const AttentionPagedArgs& args) noexcept;
}

}  // namespace lathe::kernels
