// Walks a product with quantised weights: tokens are quantised first; then slabs of panels, each
// unpacked once by the thread that multiplies it with all tokens of its part. With `exact` a slab
// becomes panels of f32 and goes to the f32 product. The weights are read once a part, where they
// lie.
#pragma once

#include <algorithm>
#include <array>
#include <span>

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
constexpr std::int64_t kTaskBytes = 256 * 1024;  // of weights, for few tokens: at most ...
constexpr std::int64_t kLeastTaskBytes =
    64 * 1024;                                    // ... and at least, where rows are read directly
constexpr std::int64_t kExactBytes = 256 * 1024;  // of a slab of f32
constexpr std::int64_t kExactPanels = 12;
constexpr std::int64_t kSmallProduct = 1 << 18;  // multiplies, about 10 us: below, one thread

/// The tile of a type for R tokens and P panels.
using QuantTileFn = void (*)(const QuantTile&);

template <typename Kind, int R = kQuantRows>
QuantTileFn quant_tile_for(int rows, int panels) {
  if constexpr (R > 1)
    if (rows < R) return quant_tile_for<Kind, R - 1>(rows, panels);
  if constexpr (kQuantPanels > 1)
    if (panels > 1) return run_quant_tile<Kind, R, 2>;
  return run_quant_tile<Kind, R, 1>;
}

/// Largest q + offset of a type; 255 where bytes are signed.
constexpr int most_stored(QuantType type) {
  switch (type) {
    case QuantType::q2_k:
      return 3;
    case QuantType::q3_k:
      return 7;
    case QuantType::q6_k:
      return 63;
    case QuantType::q5_0:
    case QuantType::q5_1:
    case QuantType::q5_k:
    case QuantType::mxfp4:
      return 31;
    case QuantType::q8_0:
    case QuantType::iq4_nl:
      return 255;
    default:
      return 15;
  }
}

/// With VNNI the range of q does not matter: fewer kinds, less code.
template <QuantType kType>
using KindOf = QuantKind<scale_group(kType), has_minimum(kType), kVnni ? 255 : most_stored(kType)>;

template <QuantType kType>
class QuantProduct {
 public:
  explicit QuantProduct(const LinearQuantisedArgs& args) : args_(args) {
    tokens_.tokens = rows_of(args.x);
    tokens_.k = columns_of(args.x);
    tokens_.group = scale_group(kType);
    tokens_.offset = stored_offset(kType);
    tokens_.minimum = has_minimum(kType);
    tokens_.data = static_cast<char*>(args.workspace);
    rows_ = rows_of(args.blocks);
    row_bytes_ = args.blocks.dims[1];
    panels_ = ceil_div(rows_, 16);
    const std::int64_t slab = tokens_.tokens <= kFewTokens ? kSlabPanelsOfFew : kSlabPanels;
    slab_panels_ = args.exact ? exact_panels() : std::min(slab, panels_);
  }

  std::int64_t workspace_bytes() const {
    return front_bytes() + thread_count() * thread_bytes() + product_bytes();
  }

  /// Whether rows are read where they lie, for the only token.
  bool is_direct() const { return reads_directly(kType) && tokens_.tokens == 1 && !args_.exact; }
  std::int64_t panels() const { return panels_; }
  std::int64_t weight_bytes() const { return rows_ * row_bytes_; }

  /// Panels of a task where is_direct() and all tasks read `bytes`. They lie one after the other;
  /// only the first is not fetched while another is multiplied, so there are two tasks for each
  /// thread and not many.
  std::int64_t panels_of_piece(std::int64_t bytes) const {
    if (bytes < kLeastTaskBytes) return panels_;
    const std::int64_t piece =
        std::clamp(bytes / (2 * thread_count()), kLeastTaskBytes / 2, kTaskBytes);
    return std::max<std::int64_t>(1, piece / std::max<std::int64_t>(1, 16 * row_bytes_));
  }

  /// Outputs of panels [first, end) where is_direct(), after quantise_tokens().
  void run_panels_directly(std::int64_t first, std::int64_t end) const {
    const Buffers b = buffers();
    fetch(args_.blocks.template as<const char>() + first * 16 * row_bytes_,
          std::min<std::int64_t>(16, rows_ - first * 16) * row_bytes_);
    for (std::int64_t p = first; p < end; ++p) run_panel_directly(p, end, b);
  }

  void quantise_tokens() const {
    parallel_for(tokens_.tokens, row_grain(tokens_.k), [&](std::int64_t m, std::int64_t end) {
      for (; m < end; ++m) quantise_token(args_.x, m, tokens_);
    });
  }

  void run() const {
    if (!args_.exact) quantise_tokens();
    if (is_direct()) return run_directly();
    const std::int64_t slabs = ceil_div(panels_, slab_panels_);
    const std::int64_t parts = args_.exact ? 1 : token_parts(slabs);
    const std::int64_t part = round_up(ceil_div(tokens_.tokens, parts), kQuantRows);
    const std::int64_t tasks = slabs * parts;
    parallel_for(tasks, slabs_a_task(slabs, parts), [&](std::int64_t i, std::int64_t end) {
      const std::int64_t last = std::min(panels_, ceil_div(end, parts) * slab_panels_);
      for (; i < end; ++i) {
        const std::int64_t first = i % parts * part;
        const std::int64_t count = std::min(part, tokens_.tokens - first);
        if (count > 0) run_slab(i / parts * slab_panels_, last, {first, count});
      }
    });
  }

 private:
  struct Range {
    std::int64_t first, count;
  };
  struct Buffers {
    std::uint8_t *rows, *q;
    float *scale, *minimum, *bias, *f32;
  };

  std::int64_t panel_q() const { return tokens_.k * 16; }
  std::int64_t panel_scale() const { return tokens_.group_row() * 16; }
  std::int64_t front_bytes() const { return args_.exact ? 0 : tokens_.bytes(); }

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
    char* at = tokens_.data + front_bytes() + thread_index() * thread_bytes();
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

  /// Slabs that a thread takes together: all where threads would cost more than they bring; more
  /// than one where there are plenty, for the sake of what is fetched ahead.
  std::int64_t slabs_a_task(std::int64_t slabs, std::int64_t parts) const {
    if (tokens_.tokens * tokens_.k * rows_ < kSmallProduct) return slabs * parts;
    if (parts > 1 || tokens_.tokens > kFewTokens) return 1;
    const std::int64_t bytes = std::max<std::int64_t>(1, slab_panels_ * 16 * row_bytes_);
    return std::clamp<std::int64_t>(slabs / (8 * thread_count()), 1,
                                    std::max<std::int64_t>(1, kTaskBytes / bytes));
  }

  /// More parts than one where slabs alone would leave threads without work.
  std::int64_t token_parts(std::int64_t slabs) const {
    const std::int64_t wanted = ceil_div(8 * thread_count(), std::max<std::int64_t>(slabs, 1));
    return std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(1, tokens_.tokens / 64));
  }

  /// Rows of panel p, filled up with zeros to sixteen; the next one is fetched ahead if it comes
  /// before `last`.
  Unpacking rows_of_panel(std::int64_t p, std::int64_t last, const Buffers& b) const {
    Unpacking u{};
    u.rows = args_.blocks.template as<const std::uint8_t>() + p * 16 * row_bytes_;
    u.stride = row_bytes_;
    u.blocks = row_bytes_ / block_bytes(kType);
    u.next = p + 1 < last && (p + 2) * 16 <= rows_ ? u.rows + 16 * row_bytes_ : nullptr;
    if (const std::int64_t left = rows_ - p * 16; left < 16) {
      std::memcpy(b.rows, u.rows, static_cast<std::size_t>(left * row_bytes_));
      std::memset(b.rows + left * row_bytes_, 0,
                  static_cast<std::size_t>((16 - left) * row_bytes_));
      u.rows = b.rows;
    }
    return u;
  }

  /// Panel p of the weights into place `to` of the buffers.
  void unpack_panel(std::int64_t p, std::int64_t last, std::int64_t to, const Buffers& b) const {
    Unpacking u = rows_of_panel(p, last, b);
    u.q = b.q + to * panel_q();
    u.scale = b.scale + to * panel_scale();
    u.minimum = b.minimum + to * panel_scale();
    unpack<kType>(u);
  }

  void run_directly() const {
    parallel_for(panels_, panels_of_piece(weight_bytes()),
                 [this](std::int64_t first, std::int64_t end) { run_panels_directly(first, end); });
  }

  static void fetch(const char* p, std::int64_t bytes) {
    for (std::int64_t at = 0; at < bytes; at += 64) _mm_prefetch(p + at, _MM_HINT_T0);
  }

  /// The outputs of panel p; the one behind it is fetched if it comes before `last`.
  void run_panel_directly(std::int64_t p, std::int64_t last, const Buffers& b) const {
    QuantTile t{};
    t.y_row = rows_;
    t.y_bf16 = args_.y.dtype == DType::bf16;
    if (!args_.bias.empty()) gather_bias(p, 1, b.bias);
    t.bias = args_.bias.empty() ? nullptr : b.bias;
    const Unpacking u = rows_of_panel(p, last, b);
    F32x16 sums[1][1] = {{zero()}};
    if constexpr (reads_directly(kType))
      sums[0][0] = multiply_directly<kType, KindOf<kType>>(u, tokens_.from(0));
    t.y = output(0, p * 16);
    t.columns = static_cast<int>(std::min<std::int64_t>(16, rows_ - p * 16));
    store_tile<1, 1>(t, sums);
  }

  void run_slab(std::int64_t first, std::int64_t last, const Range& tokens) const {
    const Buffers b = buffers();
    const std::int64_t panels = std::min(slab_panels_, panels_ - first);
    if (args_.exact) return run_exact(first, panels, last, b);
    for (std::int64_t p = 0; p < panels; ++p) unpack_panel(first + p, last, p, b);
    if (!args_.bias.empty()) gather_bias(first, panels, b.bias);
    const std::int64_t rows =
        ceil_div(tokens.count, ceil_div(tokens.count, kQuantRows));  // 8: 4 + 4, not 6 + 2
    const std::int64_t end = tokens.first + tokens.count;
    for (std::int64_t m = tokens.first; m < end; m += rows)
      run_tokens(first, panels, m, static_cast<int>(std::min(rows, end - m)), b);
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

  void run_tokens(std::int64_t first, std::int64_t panels, std::int64_t m, int rows,
                  const Buffers& b) const {
    QuantTile t;
    t.x = tokens_.from(m);
    t.panel_q = panel_q();
    t.panel_scale = panel_scale();
    t.groups = tokens_.group_row();
    t.y_row = rows_;
    t.y_bf16 = args_.y.dtype == DType::bf16;
    for (std::int64_t p = 0; p < panels; p += kQuantPanels) {
      const int held = static_cast<int>(std::min<std::int64_t>(kQuantPanels, panels - p));
      t.w = {b.q + p * t.panel_q, b.scale + p * t.panel_scale, b.minimum + p * t.panel_scale};
      t.bias = args_.bias.empty() ? nullptr : b.bias + p * 16;
      t.y = output(m, (first + p) * 16);
      t.columns = static_cast<int>(std::min<std::int64_t>(held * 16, rows_ - (first + p) * 16));
      quant_tile_for<KindOf<kType>>(rows, held)(t);
    }
  }

  // --- exact

  /// One panel as f32: [K][16], every element as dequantise_row gives it.
  void widen(const Buffers& b, float* to) const {
    constexpr int kGroup = scale_group(kType);
    const F32x16 offset = splat(static_cast<float>(stored_offset(kType)));
    const bool is_signed = stored_offset(kType) == 0 && most_stored(kType) == 255;
    for (std::int64_t k = 0; k < tokens_.k; k += 4) {
      const I32x16 word = load_i32(b.q + k * 16);
      const F32x16 scale = load(b.scale + k / kGroup * 16);
      for (int i = 0; i < 4; ++i) {
        I32x16 byte = (word >> (8 * i)) & splat_i32(255);
        if (is_signed) byte = (byte ^ splat_i32(128)) - splat_i32(128);
        F32x16 x = scale * (to_float(byte) - offset);
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
    p.workspace = tokens_.data + front_bytes() + thread_count() * thread_bytes();
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

  void run_exact(std::int64_t first, std::int64_t panels, std::int64_t last,
                 const Buffers& b) const {
    for (std::int64_t p = 0; p < panels; ++p) {
      unpack_panel(first + p, last, 0, b);
      widen(b, b.f32 + p * tokens_.k * 16);
    }
    MatmulArgs product = exact_product(first, panels, b.f32);
    product.workspace_bytes = product_bytes();
    f32_product::matmul(product);
  }

  const LinearQuantisedArgs& args_;
  TokenBuffer tokens_;
  std::int64_t rows_, row_bytes_, panels_, slab_panels_;
};

/// body(product) with the product of the type.
template <typename Body>
auto with_product(const LinearQuantisedArgs& args, const Body& body) {
  switch (args.type) {
#define LATHE_CASE(type) \
  case QuantType::type:  \
    return body(QuantProduct<QuantType::type>(args))
    LATHE_CASE(q4_0);
    LATHE_CASE(q4_1);
    LATHE_CASE(q5_0);
    LATHE_CASE(q5_1);
    LATHE_CASE(q2_k);
    LATHE_CASE(q3_k);
    LATHE_CASE(q4_k);
    LATHE_CASE(q5_k);
    LATHE_CASE(q6_k);
    LATHE_CASE(iq4_nl);
    LATHE_CASE(mxfp4);
    default:
      LATHE_CASE(q8_0);
#undef LATHE_CASE
  }
}

inline std::int64_t workspace_of_product(const LinearQuantisedArgs& args) {
  if (args.x.count() == 0 || args.blocks.count() == 0) return 0;
  return with_product(args, [](const auto& product) { return product.workspace_bytes(); });
}

/// Products of one token in one region.
class JoinedProducts {
 public:
  explicit JoinedProducts(std::span<const LinearQuantisedArgs> all) : all_(all) {
    for (const LinearQuantisedArgs& args : all)
      bytes_ += with_product(args, [](const auto& p) { return p.weight_bytes(); });
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Pieces n = with_product(all[i], [this](const auto& p) {
        const std::int64_t panels = p.panels_of_piece(bytes_);
        return Pieces{p.panels(), panels, ceil_div(p.panels(), panels)};
      });
      pieces_[i] = n;
      count_ += n.count;
    }
  }

  void run() const {
    for (const LinearQuantisedArgs& args : all_)
      with_product(args, [](const auto& p) { p.quantise_tokens(); });
    parallel_for(count_, bytes_ < kLeastTaskBytes ? count_ : 1,
                 [this](std::int64_t i, std::int64_t end) {
                   for (; i < end; ++i) run_piece(i);
                 });
  }

 private:
  struct Pieces {
    std::int64_t panels, panels_each, count;
  };

  void run_piece(std::int64_t i) const {
    std::size_t which = 0;
    for (; i >= pieces_[which].count; ++which) i -= pieces_[which].count;
    const Pieces& n = pieces_[which];
    const std::int64_t first = i * n.panels_each;
    with_product(all_[which], [&](const auto& p) {
      p.run_panels_directly(first, std::min(n.panels, first + n.panels_each));
    });
  }

  std::span<const LinearQuantisedArgs> all_;
  std::array<Pieces, kMostJoined> pieces_{};
  std::int64_t bytes_ = 0, count_ = 0;
};

inline bool can_join(const LinearQuantisedArgs& args) {
  return args.x.count() > 0 && args.blocks.count() > 0 &&
         args.workspace_bytes >= workspace_of_product(args) &&
         with_product(args, [](const auto& p) { return p.is_direct(); });
}

}  // namespace lathe::kernels::LATHE_ISA
