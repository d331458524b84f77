// Weights that stay quantised blocks: products, rows of a table, blocks from numbers and back.
#include <array>
#include <iterator>

#include "bench/kernel_bench.h"
#include "lathe/engine/kernels/digits.h"
#include "lathe/engine/kernels/linear_quantised.h"

namespace lathe::bench {
namespace {

using namespace kernels;

constexpr QuantType kTypes[] = {QuantType::q4_0, QuantType::q4_1,   QuantType::q5_0,
                                QuantType::q5_1, QuantType::q8_0,   QuantType::q2_k,
                                QuantType::q3_k, QuantType::q4_k,   QuantType::q5_k,
                                QuantType::q6_k, QuantType::iq4_nl, QuantType::mxfp4};
static_assert(std::size(kTypes) == kQuantTypes);

std::string text(const std::string& kind, QuantType type) {
  return kind + "/" + std::string(name(type));
}
std::string text(const std::string& kind, QuantType type, std::int64_t tokens) {
  return text(kind, type) + "/" + std::to_string(tokens);
}

/// Gives blocks of random bytes scales of about 1/64, where the type keeps them.
void set_scales(QuantType type, std::uint8_t* block) {
  const auto half = [block](int at) { block[at] = 0x00, block[at + 1] = 0x24; };  // f16 1/64
  if (type == QuantType::q2_k) half(80), half(82);
  if (type == QuantType::q3_k) half(108);
  if (type == QuantType::iq4_nl) half(0);
  if (type == QuantType::mxfp4) block[0] = 121;  // 2^(121 - 127)
}

/// [rows, columns] as blocks; types that nothing writes get random bytes.
View quantised(Arrays& a, QuantType type, std::int64_t rows, std::int64_t columns) {
  const View blocks = a.zeros(DType::u8, {rows, row_bytes(type, columns)});
  auto* bytes = blocks.as<std::uint8_t>();
  if (format(type).writable) {
    const View w = a.normal(DType::f32, {rows, columns}, 0.05);
    quantise_rows(type, w.as<float>(), bytes, rows, columns);
    return blocks;
  }
  const RandomStream random(1, "bench blocks");
  for (std::int64_t i = 0; i < blocks.count(); ++i)
    bytes[i] = static_cast<std::uint8_t>(random.word(static_cast<std::uint64_t>(i)));
  for (std::int64_t at = 0; at < blocks.count(); at += block_bytes(type))
    set_scales(type, bytes + at);
  return blocks;
}

struct Product {
  QuantType type;
  std::int64_t tokens, out, in;

  double flops() const { return 2.0 * static_cast<double>(tokens * out * in); }
  LinearQuantisedArgs args(Arrays& a, const View& x, bool exact = false) const {
    LinearQuantisedArgs args{.x = x,
                             .blocks = quantised(a, type, out, in),
                             .y = a.zeros(DType::f32, {tokens, out}),
                             .type = type,
                             .exact = exact};
    args.workspace_bytes = linear_quantised_workspace(args);
    args.workspace = a.workspace(args.workspace_bytes);
    return args;
  }
};

/// The "down" matrix: its rows have whole blocks in every type.
void add_linear(QuantType type, std::int64_t tokens, bool exact) {
  const std::string kind = exact ? "linear_quantised/exact" : "linear_quantised";
  add(text(kind, type, tokens), [=](Arrays& a) -> Call {
    const Product p{type, tokens, kWidth, kHidden};
    const auto args = p.args(a, a.normal(DType::f32, {tokens, kHidden}), exact);
    return {.run = [=] { linear_quantised(args); },
            .bytes = bytes_of({args.x, args.blocks, args.y}),
            .flops = p.flops()};
  });
}

/// Queries, keys and values of the same tokens.
void add_joined(QuantType type, std::int64_t tokens) {
  add(text("linears_quantised/qkv", type, tokens), [=](Arrays& a) -> Call {
    const View x = a.normal(DType::f32, {tokens, kWidth});
    std::array<LinearQuantisedArgs, 3> all;
    Call call{.bytes = bytes_of({x})};
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Product p{type, tokens, i == 0 ? kWidth : kKvHeads * kHeadSize, kWidth};
      all[i] = p.args(a, x);
      call.bytes += bytes_of({all[i].blocks, all[i].y}), call.flops += p.flops();
    }
    call.run = [=] { linears_quantised(all); };
    return call;
  });
}

void add_back(QuantType type) {
  add(text("linear_quantised_back", type, 512), [=](Arrays& a) -> Call {
    const Product p{type, 512, kWidth, kHidden};
    LinearQuantisedArgs args{.x = a.normal(DType::f32, {p.tokens, p.out}),
                             .blocks = quantised(a, type, p.out, p.in),
                             .y = a.zeros(DType::f32, {p.tokens, p.in}),
                             .type = type};
    args.workspace_bytes = linear_quantised_back_workspace(args);
    args.workspace = a.workspace(args.workspace_bytes);
    return {.run = [=] { linear_quantised_back(args); },
            .bytes = bytes_of({args.x, args.blocks, args.y}),
            .flops = p.flops()};
  });
}

/// Rows of 512: whole blocks in every type.
void add_embedding(QuantType type) {
  add(text("embedding_quantised", type), [=](Arrays& a) -> Call {
    const View blocks = quantised(a, type, kVocabulary / 8, 512);
    const View ids = a.ids({kTokens}, blocks.dims[0]), out = a.zeros(DType::f32, {kTokens, 512});
    return {.run =
                [=] {
                  embedding_quantised({blocks, ids, out, type});
                },
            .bytes = bytes_of({ids, out}) + static_cast<double>(kTokens * blocks.dims[1])};
  });
}

void add_rows_of_blocks(QuantType type) {
  add(text("dequantise_rows", type), [=](Arrays& a) -> Call {
    const View blocks = quantised(a, type, kWidth, kHidden);
    const View out = a.zeros(DType::f32, {kWidth, kHidden});
    return {.run = [=] { dequantise_rows(type, blocks.data, out.as<float>(), kWidth, kHidden); },
            .bytes = bytes_of({blocks, out})};
  });
  if (!format(type).writable) return;
  add(text("quantise_rows", type), [=](Arrays& a) -> Call {
    const View x = a.normal(DType::f32, {kWidth, kHidden}, 0.05);
    const View blocks = a.zeros(DType::u8, {kWidth, row_bytes(type, kHidden)});
    return {.run = [=] { quantise_rows(type, x.as<float>(), blocks.data, kWidth, kHidden); },
            .bytes = bytes_of({x, blocks})};
  });
}

void add_digits_of_activations() {
  add("digits/split", [](Arrays& a) -> Call {
    const View x = a.normal(DType::f32, {512, kWidth}), y = a.zeros(DType::f32, {1024, kWidth});
    return {.run = [=] { split_digits({x, y}); }, .bytes = bytes_of({x, y})};
  });
  add("digits/add", [](Arrays& a) -> Call {
    const View x = a.normal(DType::f32, {1024, kWidth}), y = a.zeros(DType::f32, {512, kWidth});
    return {.run = [=] { add_digits({.sums = x, .y = y}); }, .bytes = bytes_of({x, y})};
  });
}

}  // namespace

void add_quantised() {
  for (const QuantType type : kTypes) {
    for (const std::int64_t tokens : {1, 8, 512}) {
      add_linear(type, tokens, false), add_linear(type, tokens, true);
      if (block_elements(type) == 32) add_joined(type, tokens);
    }
    add_back(type);
    add_embedding(type);
    add_rows_of_blocks(type);
  }
  add_digits_of_activations();
}

}  // namespace lathe::bench
