// Attention: forward, backward and decoding, dense and over pages of keys and values.
#include <algorithm>
#include <cmath>

#include "bench/kernel_bench.h"
#include "lathe/engine/kernels/attention.h"
#include "lathe/engine/kernels/kv_pages.h"

namespace lathe::bench {
namespace {

using namespace kernels;

/// Floating point operations of one product of the last `queries` of `keys` tokens with the keys
/// they see.
double product_flops(std::int64_t queries, std::int64_t keys, std::int64_t window) {
  double pairs = 0;
  for (std::int64_t i = keys - queries; i < keys; ++i)
    pairs += static_cast<double>(window > 0 ? std::min(window, i + 1) : i + 1);
  return 2.0 * pairs * kHeads * kHeadSize;
}

/// The last `queries` of kTokens; gradients beside.
AttentionBackwardArgs dense(Arrays& a, DType dtype, std::int64_t queries, std::int64_t window) {
  AttentionBackwardArgs args;
  const auto tokens = [&](std::int64_t count, std::int64_t heads) {
    return a.normal(dtype, {1, count, heads, kHeadSize});
  };
  args.q = tokens(queries, kHeads), args.dq = tokens(queries, kHeads);
  args.out = tokens(queries, kHeads), args.dout = tokens(queries, kHeads);
  args.k = tokens(kTokens, kKvHeads), args.dk = tokens(kTokens, kKvHeads);
  args.v = tokens(kTokens, kKvHeads), args.dv = tokens(kTokens, kKvHeads);
  args.lse = a.zeros(DType::f32, {1, kHeads, queries});
  args.scale = 1.0f / std::sqrt(static_cast<float>(kHeadSize));
  args.window = window, args.query_offset = kTokens - queries;
  args.workspace_bytes = std::max(attention_workspace(args), attention_backward_workspace(args));
  args.workspace = a.workspace(args.workspace_bytes);
  attention(args);  // the backward pass reads out and lse
  return args;
}

void add_dense(DType dtype, std::int64_t window) {
  const std::string kind = window > 0 ? "_window" : "";
  add(with("attention/forward" + kind, dtype), [=](Arrays& a) -> Call {
    const AttentionBackwardArgs args = dense(a, dtype, kTokens, window);
    return {.run = [=] { attention(args); }, .flops = 2 * product_flops(kTokens, kTokens, window)};
  });
  add(with("attention/backward" + kind, dtype), [=](Arrays& a) -> Call {
    const AttentionBackwardArgs args = dense(a, dtype, kTokens, window);
    return {.run = [=] { attention_backward(args); },
            .flops = 5 * product_flops(kTokens, kTokens, window)};
  });
  add(with("attention/decode" + kind, dtype), [=](Arrays& a) -> Call {
    const AttentionBackwardArgs args = dense(a, dtype, 1, window);
    return {.run = [=] { attention(args); }, .flops = 2 * product_flops(1, kTokens, window)};
  });
}

/// Full caches of kTokens keys for each of `rows` texts, and the last `tokens` of them to write.
KvWriteArgs pages(Arrays& a, KvType type, std::int64_t rows, std::int64_t tokens) {
  KvWriteArgs args;
  args.k = a.normal(DType::f32, {rows, kTokens, kKvHeads, kHeadSize});
  args.v = a.normal(DType::f32, {rows, kTokens, kKvHeads, kHeadSize});
  const std::int64_t blocks = kTokens / kKvPage;
  args.to.type = type;
  args.to.pages = a.zeros(DType::u8, {rows * blocks, kv_page_bytes(type, kKvHeads, kHeadSize)});
  args.to.table = a.zeros(DType::i32, {rows, blocks});
  for (std::int64_t i = 0; i < rows * blocks; ++i)
    args.to.table.as<std::int32_t>()[i] = static_cast<std::int32_t>(i);
  args.to.first = a.zeros(DType::i32, {rows});
  kv_write(args);  // no page without numbers
  for (std::int64_t b = 0; b < rows; ++b)
    args.to.first.as<std::int32_t>()[b] = static_cast<std::int32_t>(kTokens - tokens);
  args.k.dims[1] = args.v.dims[1] = tokens;
  return args;
}

void add_paged(KvType type, std::int64_t rows, std::int64_t tokens) {
  const std::string shape =
      std::string(name(type)) + "/" + std::to_string(rows) + "x" + std::to_string(tokens);
  add("kv_write/" + shape, [=](Arrays& a) -> Call {
    const KvWriteArgs args = pages(a, type, rows, tokens);
    const double share = static_cast<double>(tokens) / kTokens;
    return {.run = [=] { kv_write(args); },
            .bytes = bytes_of({args.k, args.v}) + bytes_of({args.to.pages}) * share};
  });
  for (const DType dtype : {DType::f32, DType::bf16})
    add(with("attention_paged/" + shape, dtype), [=](Arrays& a) -> Call {
      AttentionPagedArgs args{.q = a.normal(dtype, {rows, tokens, kHeads, kHeadSize}),
                              .pages = pages(a, type, rows, tokens).to,
                              .out = a.zeros(dtype, {rows, tokens, kHeads, kHeadSize}),
                              .scale = 1.0f / std::sqrt(static_cast<float>(kHeadSize))};
      args.workspace_bytes = attention_paged_workspace(args);
      args.workspace = a.workspace(args.workspace_bytes);
      return {.run = [=] { attention_paged(args); },
              .bytes = bytes_of({args.q, args.pages.pages, args.out}),
              .flops = static_cast<double>(rows) * 2 * product_flops(tokens, kTokens, 0)};
    });
}

}  // namespace

void add_attention() {
  for (const DType dtype : {DType::f32, DType::bf16}) add_dense(dtype, 0), add_dense(dtype, 256);
  for (const KvType type : {KvType::f32, KvType::bf16, KvType::q8_0})
    add_paged(type, 1, 1), add_paged(type, 8, 1), add_paged(type, 1, 512);
}

}  // namespace lathe::bench
