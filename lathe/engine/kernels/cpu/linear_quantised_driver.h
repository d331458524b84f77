// Walks a product with quantised weights: tokens are quantised first; then slabs of panels, each
// unpacked once by the thread that multiplies it with all tokens of its part. With `exact` a slab
// becomes panels of f32 and goes to the f32 product. The weights are read once a part, where they
// lie.
#pragma once

#include <algorithm>

#include "lathe/engine/kernels/cpu/matmul_plan.h"
#include "lathe/engine/kernels/cpu/quant_direct.h"
#include "lathe/engine/kernels/cpu/quant_tokens.h"
#include "lathe/engine/kernels/cpu/quant_unpack.h"
#include "lathe/engine/kernels/linear_quantised.h"
#include "lathe/engine/kernels/matmul.h"

namespace lathe::kernels::LATHE_ISA {

// The f32 product of this instruction set.
#if defined(__AVX512F__)
namespace f32_product = kernels::avx512;
constexpr int kQuantRows = 6, kQuantPanels = 2;  // 12 sums, 12 integers, 2 of w: 26 of 32 registers
#else
namespace f32_product = kernels::avx2;
constexpr int kQuantRows = 4, kQuantPanels = 1;
#endif

constexpr std::int64_t kSlabPanels = 4;  // of integers, unpacked together ...
constexpr std::int64_t kSlabPanelsOfFew =
    2;  // ... and for few tokens: they stay in the first cache
constexpr std::int64_t kFewTokens = 16;
constexpr std::int64_t kTaskBytes = 128 * 1024;      // of weights, for one token: at most ...
constexpr std::int64_t kLeastTaskBytes = 32 * 1024;  // ... and at least
constexpr std::int64_t kExactBytes = 256 * 1024;     // of a slab of f32
constexpr std::int64_t kExactPanels = 12;
constexpr std::int64_t kSmallProduct = 1 << 18;  // multiplies, about 10 us: below, one thread

/// The tile of a type for R tokens and P panels.
using QuantTileFn = void (*)(const QuantTile&);

template <typename Kind, int R = kQuantRows>
QuantTileFn quant_tile_for(std::int64_t rows, int panels) {
  if constexpr (R > 1)
    if (rows < R) return quant_tile_for<Kind, R - 1>(rows, panels);
  if constexpr (kQuantPanels > 1)
    if (panels > 1) return run_quant_tile<Kind, R, 2>;
  return run_quant_tile<Kind, R, 1>;
}

/// How groups of a type are summed. In 16 bits where the sum of (q - c) x over half a group fits,
/// c being the offset, or 16 where there is a minimum and q goes up to 31: then
/// 16 * 127 * 16 = 32,512 at most; also 32 * 127 * 8 for groups of 16. It may overflow on the way.
constexpr Summing summing_of(QuantType type) {
  if (kVnni) return Summing::bytes;
  switch (type) {
    case QuantType::q8_0:
    case QuantType::iq4_nl:
      return Summing::words;
    case QuantType::q5_1:
    case QuantType::q5_k:
      return Summing::narrow_plus;
    default:
      return Summing::narrow;
  }
}

template <QuantType kType>
using KindOf = QuantKind<scale_group(kType), has_minimum(kType), summing_of(kType)>;

/// For one token, whose weights are multiplied as they are taken apart: bytes need no widening.
template <QuantType kType>
using DirectKindOf =
    QuantKind<scale_group(kType), has_minimum(kType),
              summing_of(kType) == Summing::words ? Summing::signs : summing_of(kType)>;

/// What the bytes that are multiplied exceed those by that the sums are of.
constexpr int summed_offset(QuantType type) {
  return summing_of(type) == Summing::narrow_plus ? 16 : stored_offset(type);
}

template <QuantType kType>
class QuantProduct {
 public:
  using Kind = KindOf<kType>;

  explicit QuantProduct(const LinearQuantisedArgs& args) : args_(args) {
    tokens_.tokens = groups_.tokens = rows_of(args.x);
    tokens_.k = columns_of(args.x);
    tokens_.data = static_cast<char*>(args.workspace);
    groups_.groups = tokens_.k / Kind::group;
    if (Kind::bytes == 2) groups_.wide_row = tokens_.q_row();
    groups_.data = tokens_.data + tokens_.bytes();
    rows_ = rows_of(args.blocks);
    row_bytes_ = args.blocks.dims[1];
    panels_ = ceil_div(rows_, 16);
    const std::int64_t slab = tokens_.tokens <= kFewTokens ? kSlabPanelsOfFew : kSlabPanels;
    slab_panels_ = args.exact ? exact_panels() : std::min(slab, panels_);
  }

  std::int64_t workspace_bytes() const {
    return front_bytes() + thread_count() * thread_bytes() + product_bytes();
  }
  std::int64_t multiplications() const { return tokens_.tokens * tokens_.k * rows_; }
  std::int64_t weight_bytes() const { return rows_ * row_bytes_; }

  /// The tokens that another product of the same activations has quantised.
  const TokenBuffer& tokens() const { return tokens_; }
  void take_tokens(const TokenBuffer& tokens) { tokens_ = tokens; }
  void derive(std::int64_t m) const {
    if (is_direct())
      return derive_groups<DirectKindOf<kType>>(tokens_, summed_offset(kType), m, groups_);
    derive_groups<Kind>(tokens_, summed_offset(kType), m, groups_);
  }
  /// What another product of the same activations and type has derived.
  const GroupBuffer& groups() const { return groups_; }
  void take_groups(const GroupBuffer& groups) { groups_ = groups; }

  /// Whether rows are read where they lie, for the only token.
  bool is_direct() const { return reads_directly(kType) && tokens_.tokens == 1 && !args_.exact; }

  /// Sixteen rows each.
  std::int64_t panels() const { return panels_; }

  /// Where the rows of panel p lie.
  const std::uint8_t* rows_at(std::int64_t p) const {
    return args_.blocks.template as<const std::uint8_t>() + p * 16 * row_bytes_;
  }

  /// Outputs of panels [first, end) where is_direct(); `then` is read after them, or null. Returns
  /// the results that it has stored.
  OutputTile run_panels(std::int64_t first, std::int64_t end, const std::uint8_t* then) const {
    const Buffers b = buffers();
    for (std::int64_t p = first; p < end; ++p)
      run_panel_directly(p, p + 1 < end ? rows_at(p + 1) : then, b);
    return tile_of({first, end - first}, {0, 1});
  }

  /// Tasks where it is not.
  std::int64_t tasks() const { return slabs() * token_parts(); }

  /// Returns the results that it has stored.
  OutputTile run_task(std::int64_t i) const {
    const std::int64_t parts = token_parts();
    const std::int64_t part = round_up(ceil_div(tokens_.tokens, parts), kQuantRows);
    const std::int64_t first = i % parts * part;
    const std::int64_t count = std::min(part, tokens_.tokens - first);
    const std::int64_t slab = i / parts;
    if (fetches_between() && slab < thread_count()) {
      NextSlab all = ahead(slab, 1);
      all.fetch();
    }
    if (count > 0) run_slab(slab, {first, count});
    return tile_of(panels_of(slab), {first, count});
  }

 private:
  struct Range {
    std::int64_t first, count;
  };
  struct Buffers {
    std::uint8_t *rows, *q;
    float *scale, *minimum, *bias, *f32;
  };

  OutputTile tile_of(const Range& panels, const Range& tokens) const {
    const std::int64_t column = panels.first * 16;
    return {tokens.first, tokens.count, column, std::min(panels.count * 16, rows_ - column)};
  }

  std::int64_t panel_q() const { return tokens_.k * 16 * Kind::bytes; }
  std::int64_t panel_scale() const { return groups_.groups * 16; }
  std::int64_t front_bytes() const {
    return args_.exact ? 0 : round_up(tokens_.bytes() + groups_.bytes(), 64);
  }
  /// Behind what is shared: tokens and groups may lie in the workspace of another product.
  char* own_workspace() const { return static_cast<char*>(args_.workspace) + front_bytes(); }
  std::int64_t slabs() const { return ceil_div(panels_, slab_panels_); }
  /// None where there are fewer slabs.
  Range panels_of(std::int64_t slab) const {
    const std::int64_t first = std::min(panels_, slab * slab_panels_);
    return {first, std::min(slab_panels_, panels_ - first)};
  }

  /// Tokens from m on, q in bytes.
  Tokens bytes_from(std::int64_t m) const {
    return {tokens_.q(m),    tokens_.scale(m),    groups_.total(m), groups_.start(m),
            tokens_.q_row(), tokens_.scale_row(), groups_.groups};
  }
  /// As tiles take them.
  Tokens tokens_from(std::int64_t m) const {
    Tokens x = bytes_from(m);
    if constexpr (Kind::bytes == 2) {
      x.q = reinterpret_cast<const std::int8_t*>(groups_.wide(m));
      x.q_row = groups_.wide_row * 2;
    }
    return x;
  }

  std::int64_t exact_panels() const {
    return std::clamp<std::int64_t>(kExactBytes / std::max<std::int64_t>(tokens_.k * 64, 1), 1,
                                    std::min(kExactPanels, std::max<std::int64_t>(panels_, 1)));
  }
  /// Panels that are held as integers at a time: exact slabs are widened one by one.
  std::int64_t held_panels() const { return args_.exact ? 1 : slab_panels_; }

  std::int64_t thread_bytes() const {
    const std::int64_t scales = (has_minimum(kType) ? 2 : 1) * panel_scale() * 4;
    std::int64_t bytes =
        round_up(16 * row_bytes_, 64) + held_panels() * (panel_q() + scales) + slab_panels_ * 64;
    if (args_.exact) bytes += slab_panels_ * tokens_.k * 64;
    return round_up(bytes, 64);
  }

  Buffers buffers() const {
    char* at = own_workspace() + thread_index() * thread_bytes();
    const auto take = [&at](std::int64_t bytes) {
      char* taken = at;
      at += bytes;
      return taken;
    };
    Buffers b;
    b.rows = reinterpret_cast<std::uint8_t*>(take(round_up(16 * row_bytes_, 64)));
    b.q = reinterpret_cast<std::uint8_t*>(take(held_panels() * panel_q()));
    b.scale = reinterpret_cast<float*>(take(held_panels() * panel_scale() * 4));
    b.minimum =
        reinterpret_cast<float*>(take(has_minimum(kType) ? held_panels() * panel_scale() * 4 : 0));
    b.bias = reinterpret_cast<float*>(take(slab_panels_ * 64));
    b.f32 = reinterpret_cast<float*>(at);
    return b;
  }

  /// Whether the next slab is fetched while one is multiplied: with few tokens memory matters.
  bool fetches_between() const { return !args_.exact && tokens_.tokens <= kFewTokens; }

  /// A slab, if there is one of this number, to be fetched in `times` parts.
  NextSlab ahead(std::int64_t slab, std::int64_t times) const {
    const auto [first, count] = panels_of(slab);
    const std::int64_t rows = std::clamp<std::int64_t>(rows_ - first * 16, 0, count * 16);
    NextSlab a;
    a.at = reinterpret_cast<const char*>(rows_at(first));
    a.lines = ceil_div(rows * row_bytes_, 64);
    a.each = ceil_div(a.lines, times);
    return a;
  }

  /// More parts than one where slabs alone would leave threads without work.
  std::int64_t token_parts() const {
    if (args_.exact) return 1;
    const std::int64_t wanted = ceil_div(8 * thread_count(), std::max<std::int64_t>(slabs(), 1));
    return std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(1, tokens_.tokens / 64));
  }

  /// Rows of panel p, filled up with zeros to sixteen; `then` is fetched ahead unless it is null.
  RowsOfBlocks rows_of_panel(std::int64_t p, const std::uint8_t* then, const Buffers& b) const {
    RowsOfBlocks u{};
    u.rows = rows_at(p);
    u.stride = row_bytes_;
    u.blocks = row_bytes_ / block_bytes(kType);
    u.next = then;
    if (const std::int64_t left = rows_ - p * 16; left < 16) {
      std::memcpy(b.rows, u.rows, static_cast<std::size_t>(left * row_bytes_));
      std::memset(b.rows + left * row_bytes_, 0,
                  static_cast<std::size_t>((16 - left) * row_bytes_));
      u.rows = b.rows;
    }
    return u;
  }

  /// Panel p of the weights into place `to` of the buffers; `last` of its slab.
  void unpack_panel(std::int64_t p, bool last, std::int64_t to, const Buffers& b) const {
    const PanelSink<kType, Kind::bytes> panel{b.q + to * panel_q(), b.scale + to * panel_scale(),
                                              b.minimum + to * panel_scale()};
    const bool fetches = !last && !fetches_between();
    unpack<kType>(rows_of_panel(p, fetches ? rows_at(p + 1) : nullptr, b), panel);
  }

  void run_panel_directly(std::int64_t p, const std::uint8_t* then, const Buffers& b) const {
    QuantTile t{};
    t.y_row = rows_;
    t.y_bf16 = args_.y.dtype == DType::bf16;
    if (!args_.bias.empty()) gather_bias(p, 1, b.bias);
    t.bias = args_.bias.empty() ? nullptr : b.bias;
    F32x16 sums[1][1] = {{zero()}};
    if constexpr (reads_directly(kType))
      sums[0][0] =
          multiply_directly<kType, DirectKindOf<kType>>(rows_of_panel(p, then, b), bytes_from(0));
    t.y = output(0, p * 16);
    t.columns = static_cast<int>(std::min<std::int64_t>(16, rows_ - p * 16));
    store_tile<1, 1>(t, sums);
  }

  void run_slab(std::int64_t slab, const Range& tokens) const {
    const Buffers b = buffers();
    const auto [first, panels] = panels_of(slab);
    if (args_.exact) return run_exact(first, panels, b);
    for (std::int64_t p = 0; p < panels; ++p) unpack_panel(first + p, p + 1 == panels, p, b);
    if (!args_.bias.empty()) gather_bias(first, panels, b.bias);
    const std::int64_t rows =
        ceil_div(tokens.count, ceil_div(tokens.count, kQuantRows));  // 8: 4 + 4, not 6 + 2
    const std::int64_t end = tokens.first + tokens.count;
    NextSlab next;
    if (fetches_between()) {
      const std::int64_t tiles = ceil_div(tokens.count, rows) * ceil_div(panels, kQuantPanels);
      next = ahead(slab + thread_count(), tiles * groups_.groups);  // most likely this thread's
    }
    QuantTile t{};
    t.ahead = next.lines > 0 ? &next : nullptr;
    for (std::int64_t m = tokens.first; m < end; m += rows)
      run_tokens(t, {first, panels}, {m, std::min(rows, end - m)}, b);
  }

  void gather_bias(std::int64_t first, std::int64_t panels, float* to) const {
    for (std::int64_t i = 0; i < panels * 16; ++i) {
      const std::int64_t n = first * 16 + i;
      to[i] = n < rows_ ? Row(args_.bias).one(n) : 0.0f;
    }
  }

  char* output(std::int64_t m, std::int64_t n) const {
    const std::int64_t size = args_.y.dtype == DType::bf16 ? 2 : 4;
    return args_.y.template as<char>() + (m * rows_ + n) * size;
  }

  void run_tokens(QuantTile& t, const Range& slab, const Range& tokens, const Buffers& b) const {
    t.x = tokens_from(tokens.first);
    t.panel_q = panel_q();
    t.panel_scale = panel_scale();
    t.groups = groups_.groups;
    t.y_row = rows_;
    t.y_bf16 = args_.y.dtype == DType::bf16;
    for (std::int64_t p = 0; p < slab.count; p += kQuantPanels) {
      const int held = static_cast<int>(std::min<std::int64_t>(kQuantPanels, slab.count - p));
      t.w = {b.q + p * t.panel_q, b.scale + p * t.panel_scale, b.minimum + p * t.panel_scale};
      t.bias = args_.bias.empty() ? nullptr : b.bias + p * 16;
      t.y = output(tokens.first, (slab.first + p) * 16);
      t.columns =
          static_cast<int>(std::min<std::int64_t>(held * 16, rows_ - (slab.first + p) * 16));
      quant_tile_for<Kind>(tokens.count, held)(t);
    }
  }

  // --- exact

  /// Number i of four k of a panel.
  static I32x16 held(const std::uint8_t* q, int i) {
    if constexpr (Kind::bytes == 1) return (load_i32(q) >> (8 * i)) & splat_i32(255);
    const I32x16 word = (load_i32(q + i % 2 * 64) >> (i / 2 * 16)) & splat_i32(0xFFFF);
    return (word ^ splat_i32(0x8000)) - splat_i32(0x8000);
  }

  /// One panel as f32: [K][16], every element as dequantise_row gives it.
  void widen(const Buffers& b, float* to) const {
    constexpr int kGroup = scale_group(kType);
    const F32x16 offset = splat(static_cast<float>(stored_offset(kType)));
    for (std::int64_t k = 0; k < tokens_.k; k += 4) {
      const F32x16 scale = load(b.scale + k / kGroup * 16);
      for (int i = 0; i < 4; ++i) {
        F32x16 x = scale * (to_float(held(b.q + k * 16 * Kind::bytes, i)) - offset);
        if constexpr (has_minimum(kType)) x = x + load(b.minimum + k / kGroup * 16);
        store(to + (k + i) * 16, x);
      }
    }
  }

  MatmulArgs exact_product(std::int64_t first, std::int64_t panels, const float* f32) const {
    MatmulArgs p;
    p.a = args_.x;
    p.c = args_.y;
    p.c.dims[1] = std::min(panels * 16, rows_ - first * 16);
    p.c.data = output(0, first * 16);
    p.b.rank = 2;
    p.b.dims[0] = tokens_.k;
    p.b.dims[1] = p.c.dims[1];
    p.b_panels = f32;
    p.bias = args_.bias;
    if (!p.bias.empty()) {
      const auto size = static_cast<std::int64_t>(size_of(p.bias.dtype));
      p.bias.data = p.bias.template as<char>() + first * 16 * p.bias.strides[0] * size;
    }
    p.workspace = own_workspace() + thread_count() * thread_bytes();
    return p;
  }

  std::int64_t product_bytes() const {
    if (!args_.exact) return 0;
    static constexpr float kSomewhere = 0;
    std::int64_t bytes = f32_product::matmul_workspace(exact_product(0, slab_panels_, &kSomewhere));
    if (const std::int64_t rest = panels_ % slab_panels_; rest > 0)
      bytes = std::max(
          bytes, f32_product::matmul_workspace(exact_product(panels_ - rest, rest, &kSomewhere)));
    return bytes;
  }

  void run_exact(std::int64_t first, std::int64_t panels, const Buffers& b) const {
    for (std::int64_t p = 0; p < panels; ++p) {
      unpack_panel(first + p, p + 1 == panels, 0, b);
      widen(b, b.f32 + p * tokens_.k * 16);
    }
    MatmulArgs product = exact_product(first, panels, b.f32);
    product.workspace_bytes = product_bytes();
    f32_product::matmul(product);
  }

  const LinearQuantisedArgs& args_;
  TokenBuffer tokens_;
  GroupBuffer groups_;
  std::int64_t rows_, row_bytes_, panels_, slab_panels_;
};

}  // namespace lathe::kernels::LATHE_ISA
