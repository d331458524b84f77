// Walks an int8 product: tokens and weights are rounded and laid out by all threads, then chunks of
// (tokens, panels of outputs) are multiplied.
//
// 1. The second region reads what the first wrote, whole; nothing is written twice.
// 2. A chunk's outputs are finished by one thread; integers make the order inside it free.
#pragma once

#include "lathe/engine/kernels/cpu/int8_pack.h"
#include "lathe/engine/kernels/cpu/matmul_plan.h"
#include "lathe/engine/kernels/linear_int8.h"

namespace lathe::kernels::LATHE_ISA {

// Measured on Zen 3 (32 KB and 512 KB of first and second level) at the shapes of bench/.
constexpr std::int64_t kInt8RangeBytes = 24 * 1024;   // of panels, that stay in the first cache
constexpr std::int64_t kInt8GroupBytes = 192 * 1024;  // of tokens, that stay in the second
constexpr std::int64_t kInt8TokenGrain = 16;          // tokens rounded together
constexpr std::int64_t kInt8Small = 1 << 18;          // multiplies: below, one thread

class Int8Product {
 public:
  explicit Int8Product(const LinearInt8Args& args)
      : args_(args),
        tokens_(args.x.dims[0]),
        outputs_(args.w.dims[0]),
        k_(args.x.dims[1]),
        words_(ceil_div(k_, kInt8PerWord)),
        panels_(ceil_div(outputs_, 16)),
        row_(round_up(words_ * 4, 64) + 64) {
    constexpr std::int64_t kMostWords = kInt8RangeBytes / (64 * kInt8Vectors);
    const std::int64_t ranges = std::max<std::int64_t>(1, ceil_div(words_, kMostWords));
    range_ = std::max<std::int64_t>(4, round_up(ceil_div(words_, ranges), 4));
    const std::int64_t most = std::max<std::int64_t>(kInt8Rows, kInt8GroupBytes / row_);
    const std::int64_t groups = std::max<std::int64_t>(1, ceil_div(tokens_, most));
    group_ = round_up(std::max<std::int64_t>(1, ceil_div(tokens_, groups)), kInt8Rows);
    strip_ = strip_panels(ceil_div(tokens_, group_));
    lay_out();
  }

  std::int64_t workspace_bytes() const { return front_ + thread_bytes() * thread_count(); }

  void run() const {
    const bool small = tokens_ * outputs_ * k_ < kInt8Small;
    const std::int64_t token_tasks = ceil_div(tokens_, kInt8TokenGrain), weights = weight_tasks();
    const auto grain = [small](std::int64_t tasks) { return small ? tasks : 1; };
    parallel_for(weights + token_tasks, grain(weights + token_tasks),
                 [&](std::int64_t i, std::int64_t end) {
                   for (; i < end; ++i) i < weights ? pack_weights(i) : pack_tokens(i - weights);
                 });
    const std::int64_t strips = ceil_div(panels_, strip_), groups = ceil_div(tokens_, group_);
    parallel_for(strips * groups, grain(strips * groups), [&](std::int64_t i, std::int64_t end) {
      for (; i < end; ++i) run_chunk(i % strips * strip_, i / strips * group_);
    });
  }

 private:
  /// Panels of a chunk: all, unless threads would go without work.
  std::int64_t strip_panels(std::int64_t groups) const {
    const std::int64_t wanted = ceil_div(4 * thread_count(), std::max<std::int64_t>(groups, 1));
    const std::int64_t strips =
        std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(1, panels_));
    return round_up(std::max<std::int64_t>(1, ceil_div(panels_, strips)), kInt8Vectors);
  }

  void lay_out() {
    const auto take = [this](std::int64_t bytes) {
      const std::int64_t at = front_;
      front_ += round_up(bytes, 64);
      return at;
    };
    tokens_at_ = take(tokens_ * row_);
    x_scale_at_ = take(tokens_ * 4);
    panels_at_ = take(panels_ * panel_bytes());
    w_scale_at_ = take(panels_ * 64);
    start_at_ = take(panels_ * 64);
    bias_at_ = take(panels_ * 64);
  }

  std::int64_t panel_bytes() const { return words_ * 64; }
  std::int64_t partial_bytes() const { return range_ < words_ ? group_ * kInt8Vectors * 64 : 0; }
  /// A thread rounds rows of weights or keeps sums between ranges of k, one after the other.
  std::int64_t thread_bytes() const { return std::max(16 * row_, partial_bytes()); }

  template <typename T = char>
  T* at(std::int64_t bytes) const {
    return reinterpret_cast<T*>(static_cast<char*>(args_.workspace) + bytes);
  }
  char* of_thread() const { return at(front_ + thread_bytes() * thread_index()); }

  /// Whether the k of a weight are adjacent.
  bool rows_adjacent() const { return args_.w.strides[1] == 1; }
  std::int64_t weight_tasks() const {
    return rows_adjacent() ? panels_ : ceil_div(outputs_, kStripColumns);
  }

  void pack_tokens(std::int64_t task) const {
    const std::int64_t first = task * kInt8TokenGrain;
    const std::int64_t end = std::min(tokens_, first + kInt8TokenGrain);
    args_.before(first, end);
    for (std::int64_t m = first; m < end; ++m) {
      std::int32_t sum;
      at<float>(x_scale_at_)[m] =
          quantise_row<kInt8Token, 128>(Row(args_.x, m), k_, at(tokens_at_ + m * row_), sum);
    }
  }

  void pack_weights(std::int64_t task) const {
    const std::int64_t wide = rows_adjacent() ? 16 : kStripColumns, first = task * wide;
    const auto count = static_cast<int>(std::min(wide, outputs_ - first));
    const PanelOut out{at(panels_at_ + first / 16 * panel_bytes()), at<float>(w_scale_at_) + first,
                       at<std::int32_t>(start_at_) + first};
    if (rows_adjacent()) {
      pack_rows(args_.w, first, count, of_thread(), row_, out);
    } else {
      View turned = args_.w;
      std::swap(turned.dims[0], turned.dims[1]);
      std::swap(turned.strides[0], turned.strides[1]);
      pack_columns(turned, first, count, out);
    }
    if (args_.bias.empty()) return;
    for (std::int64_t n = first; n < round_up(first + count, 16); ++n)
      at<float>(bias_at_)[n] = n < outputs_ ? Row(args_.bias).one(n) : 0.0f;
  }

  /// Outputs of a strip for a group of tokens. Panels are outermost: a range of them is used by all
  /// tokens before the next is fetched.
  void run_chunk(std::int64_t panel, std::int64_t token) const {
    const std::int64_t tokens = std::min(group_, tokens_ - token);
    const std::int64_t end = std::min(panels_, panel + strip_);
    for (std::int64_t p = panel; p < end; p += kInt8Vectors) {
      const auto vectors = static_cast<int>(std::min<std::int64_t>(kInt8Vectors, end - p));
      for (std::int64_t k = 0; k < std::max<std::int64_t>(words_, 1); k += range_)
        run_range(p, vectors, k, token, tokens);
    }
    args_.after({token, tokens, panel * 16, std::min(outputs_, end * 16) - panel * 16});
  }

  void run_range(std::int64_t p, int vectors, std::int64_t k, std::int64_t token,
                 std::int64_t tokens) const {
    Int8Tile t{};
    t.x_row = row_;
    t.w = at(panels_at_ + p * panel_bytes() + k * 64);
    t.w_panel = panel_bytes();
    t.words = std::min(range_, words_ - k);
    t.resume = k > 0;
    t.finish = k + range_ >= words_;
    t.w_scale = at<float>(w_scale_at_) + p * 16;
    t.start = at<std::int32_t>(start_at_) + p * 16;
    t.bias = args_.bias.empty() ? nullptr : at<float>(bias_at_) + p * 16;
    t.y_row = outputs_;
    t.y_bf16 = args_.y.dtype == DType::bf16;
    t.columns = static_cast<int>(std::min<std::int64_t>(vectors * 16, outputs_ - p * 16));
    for (std::int64_t r = 0; r < tokens; r += kInt8Rows) {
      const auto rows = static_cast<int>(std::min<std::int64_t>(kInt8Rows, tokens - r));
      const std::int64_t m = token + r;
      t.x = at(tokens_at_ + m * row_ + k * 4);
      t.next_x = r + 2 * kInt8Rows <= tokens ? t.x + kInt8Rows * row_ : nullptr;
      t.x_scale = at<float>(x_scale_at_) + m;
      t.partial = reinterpret_cast<std::int32_t*>(of_thread()) + r * vectors * 16;
      t.y = args_.y.as<char>() + (m * outputs_ + p * 16) * (t.y_bf16 ? 2 : 4);
      int8_tile_for(rows, vectors)(t);
    }
  }

  const LinearInt8Args& args_;
  std::int64_t tokens_, outputs_, k_;
  std::int64_t words_, panels_;  // of k; of 16 outputs
  std::int64_t row_;             // bytes of a token: 64 more than it needs, so that the tokens of a
                                 // tile do not share cache sets
  std::int64_t range_ = 0;       // words of k
  std::int64_t group_ = 0;       // tokens
  std::int64_t strip_ = 0;       // panels
  std::int64_t front_ = 0;       // bytes that threads share
  std::int64_t tokens_at_ = 0, x_scale_at_ = 0;
  std::int64_t panels_at_ = 0, w_scale_at_ = 0, start_at_ = 0, bias_at_ = 0;
};

}  // namespace lathe::kernels::LATHE_ISA
