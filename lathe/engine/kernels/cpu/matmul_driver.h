// Walks a product through its plan: chunks in parallel; in a chunk ranges of k ascending, so that
// every sum stays one chain; in a range tiles.
#pragma once

#include <array>

#include "lathe/engine/kernels/cpu/matmul_codes.h"
#include "lathe/engine/kernels/cpu/matmul_plan.h"
#include "lathe/engine/kernels/matmul.h"

namespace lathe::kernels::LATHE_ISA {

/// A matrix of a batch: strides in elements.
struct Matrix {
  char* data;
  std::int64_t rows, columns;
  std::ptrdiff_t batch, row, column;
  bool bf16;

  char* at(std::int64_t b, std::int64_t r, std::int64_t c) const {
    return data + (b * batch + r * row + c * column) * (bf16 ? 2 : 4);
  }
};

inline Matrix matrix_of(const View& v) {
  const int r = v.rank;
  return {v.as<char>(),     v.dims[r - 2],    v.dims[r - 1],         r == 3 ? v.strides[0] : 0,
          v.strides[r - 2], v.strides[r - 1], v.dtype == DType::bf16};
}

/// Part of a matrix that will be packed soon: tiles fetch it, each its share.
class Ahead {
 public:
  Ahead() = default;

  /// Rows [row, row + rows) by columns [column, column + columns) of m.
  Ahead(const Matrix& m, std::int64_t b, std::int64_t row, std::int64_t rows, std::int64_t column,
        std::int64_t columns) {
    const std::int64_t size = m.bf16 ? 2 : 4;
    if (m.column != 1 && m.row != 1) return;
    data_ = m.at(b, row, column);
    step_ = (m.column == 1 ? m.row : m.column) * size;
    count_ = m.column == 1 ? rows : columns;
    lines_ = ceil_div((m.column == 1 ? columns : rows) * size, 64);
  }

  /// The share of the next tile, which is `words` long.
  Stream next(std::int64_t words) {
    const std::int64_t first = number_ / lines_ * (words / 8), line = number_ % lines_;
    ++number_;
    if (first >= count_) return {nullptr, 0};
    return {data_ + first * step_ + line * 64, step_};
  }

 private:
  const char* data_ = nullptr;
  std::ptrdiff_t step_ = 0;
  std::int64_t count_ = 0, lines_ = 1;  // pieces `step_` bytes apart, lines of each
  std::int64_t number_ = 0;             // tiles so far
};

/// True where stepping by `bytes` meets so few sets of a first-level cache that the rows of a tile
/// push each other out.
inline bool rows_collide(std::ptrdiff_t bytes) { return bytes % 4096 == 0; }

template <typename Mode>
class Product {
 public:
  explicit Product(const MatmulArgs& args)
      : args_(args), a_(matrix_of(args.a)), b_(matrix_of(args.b)), c_(matrix_of(args.c)) {
    count_k_ = a_.columns;
    batch_ = args.c.rank == 3 ? args.c.dims[0] : 1;
    merge_batch();
    problem_.batch = batch_;
    problem_.rows = c_.rows;
    problem_.columns = c_.columns;
    problem_.words = Mode::kPairs ? ceil_div(count_k_, 2) : count_k_;
    problem_.a = access_a();
    problem_.b = access_b();
    problem_.partial_elsewhere = c_.bf16;
    const bool read_along_k = problem_.b == Access::transpose || problem_.b == Access::coded;
    problem_.few_rows = c_.rows <= few_rows_limit<Mode>() && read_along_k;
    const bool packed_a = problem_.a == Access::side_by_side;
    if (problem_.few_rows && packed_a) problem_.a = Access::plain;  // its tiles take rows only
    plan_ = make_plan(problem_);
  }

  std::int64_t workspace_bytes() const { return plan_.thread_bytes() * thread_count(); }

  void run() const {
    parallel_for(plan_.chunks, plan_.chunks_a_task, [this](std::int64_t begin, std::int64_t end) {
      for (std::int64_t index = begin; index < end; ++index) {
        const Chunk chunk = chunk_at(index);
        run_chunk(chunk, index);
        args_.after({chunk.row, chunk.rows, chunk.column, chunk.columns});
      }
    });
  }

 private:
  /// The buffers of one thread.
  struct Buffers {
    Word *b, *a;
    float *bias, *partial;
  };

  /// What a chunk covers.
  struct Chunk {
    std::int64_t batch, row, rows, column, columns;
    Buffers buffers;
  };

  /// A range of k inside a chunk, and where its b is.
  struct Range {
    std::int64_t begin, words;
    const Word* b;
    std::ptrdiff_t panel;  // words from one panel of b to the next
  };

  /// Rows of a ready for tiles.
  struct Rows {
    const Word* data;
    std::ptrdiff_t row, k;
    std::ptrdiff_t tile;  // words from one tile to the next
  };

  /// A batch that is only more rows of a and c becomes rows.
  void merge_batch() {
    const bool one_b = batch_ <= 1 || b_.batch == 0;
    const bool a_rows = a_.batch == a_.rows * a_.row, c_rows = c_.batch == c_.rows * c_.row;
    if (batch_ == 0 || !(batch_ == 1 || (one_b && a_rows && c_rows))) return;
    a_.rows *= batch_;
    c_.rows *= batch_;
    batch_ = 1;
  }

  Access access_a() const {
    const std::ptrdiff_t row_bytes = a_.row * (a_.bf16 ? 2 : 4);
    if (a_.column == 1) {
      const bool even = count_k_ % 2 == 0 && a_.row % 2 == 0;
      const bool words_lie_ready = a_.bf16 == Mode::kPairs && (even || !Mode::kPairs);
      const bool stay = !rows_collide(row_bytes) && c_.columns < kCopyColumns;
      return words_lie_ready && stay ? Access::in_place : Access::copy;
    }
    return a_.row == 1 ? Access::side_by_side : Access::plain;
  }

  Access access_b() const {
    if (args_.b_panels != nullptr) return b_.bf16 == Mode::kPairs ? Access::in_place : Access::copy;
    if (kCodes && !args_.b_codes.empty()) return Access::coded;
    if (b_.row == 1) return Access::transpose;
    return b_.column == 1 ? Access::side_by_side : Access::plain;
  }

  Chunk chunk_at(std::int64_t index) const {
    Chunk chunk;
    const std::int64_t block = index % plan_.blocks, strip = index / plan_.blocks % plan_.strips;
    chunk.batch = index / (plan_.blocks * plan_.strips);
    chunk.row = block * plan_.block_rows;
    chunk.rows = std::min(plan_.block_rows, c_.rows - chunk.row);
    chunk.column = strip * plan_.strip_panels * kLanes;
    chunk.columns = std::min(plan_.strip_panels * kLanes, c_.columns - chunk.column);
    char* at = static_cast<char*>(args_.workspace) + plan_.thread_bytes() * thread_index();
    const auto take = [&at](std::int64_t bytes) {
      char* taken = at;
      at += bytes;
      return taken;
    };
    chunk.buffers.b = reinterpret_cast<Word*>(take(plan_.b_bytes));
    chunk.buffers.a = reinterpret_cast<Word*>(take(plan_.a_bytes));
    chunk.buffers.bias = reinterpret_cast<float*>(take(plan_.bias_bytes));
    chunk.buffers.partial = reinterpret_cast<float*>(take(plan_.partial_bytes));
    return chunk;
  }

  void run_chunk(const Chunk& chunk, std::int64_t index) const {
    if (!args_.bias.empty()) gather_bias(chunk);
    if (problem_.few_rows) return run_few(chunk);
    for (std::int64_t first = 0; first < plan_.ranges; first += plan_.pass_ranges) {
      const std::int64_t end = std::min(plan_.ranges, first + plan_.pass_ranges);
      for (std::int64_t i = first; i < end; ++i) prepare_b(chunk, range_at(chunk, i));
      Ahead b = end < plan_.ranges ? b_ahead(chunk, end) : b_ahead(index + thread_count());
      for (std::int64_t r = 0; r < chunk.rows; r += plan_.group_rows) {
        for (std::int64_t i = first; i < end; ++i) {
          const bool more = i + 1 < end;
          Ahead a = a_ahead(chunk, more ? r : r + plan_.group_rows, more ? i + 1 : first);
          run_rows(chunk, range_at(chunk, i), r, {&a, &b});
        }
      }
    }
  }

  /// Elements of k in ranges [first, end).
  std::int64_t first_k(std::int64_t range) const {
    return std::min(range * plan_.range * (Mode::kPairs ? 2 : 1), count_k_);
  }

  /// The rows of a that are packed after the current ones.
  Ahead a_ahead(const Chunk& chunk, std::int64_t group, std::int64_t range) const {
    if (problem_.a == Access::in_place || group >= chunk.rows) return {};
    const std::int64_t rows = std::min(plan_.group_rows, chunk.rows - group);
    const std::int64_t k = first_k(range);
    return {a_, chunk.batch, chunk.row + group, rows, k, first_k(range + 1) - k};
  }

  /// The b of a pass.
  Ahead b_ahead(const Chunk& chunk, std::int64_t range) const {
    if (args_.b_panels != nullptr || problem_.b == Access::coded) return {};
    const std::int64_t k = first_k(range);
    return {b_,           chunk.batch,  k, first_k(range + plan_.pass_ranges) - k,
            chunk.column, chunk.columns};
  }

  /// The b of the chunk that this thread is likely to run next.
  Ahead b_ahead(std::int64_t index) const {
    return index < plan_.chunks ? b_ahead(chunk_at(index), 0) : Ahead();
  }

  Range range_at(const Chunk& chunk, std::int64_t i) const {
    Range range;
    range.begin = i * plan_.range;
    range.words = std::min(plan_.range, problem_.words - range.begin);
    if (problem_.b == Access::in_place) {
      range.panel = problem_.words * kLanes;
      range.b = static_cast<const Word*>(args_.b_panels) + chunk.column / kLanes * range.panel +
                range.begin * kLanes;
    } else {
      const std::int64_t slot = i % plan_.pass_ranges;
      range.panel = range.words * kLanes;
      range.b = chunk.buffers.b + slot * plan_.range * plan_.strip_panels * kLanes;
    }
    return range;
  }

  void gather_bias(const Chunk& chunk) const {
    const View& bias = args_.bias;
    for (std::int64_t n = 0; n < round_up(chunk.columns, kLanes); ++n) {
      const std::int64_t at = (chunk.column + n) * bias.strides[0];
      float x = 0.0f;
      if (n < chunk.columns)
        x = bias.dtype == DType::bf16 ? to_f32(bias.as<bf16_t>()[at]) : bias.as<float>()[at];
      chunk.buffers.bias[n] = x;
    }
  }

  void prepare_b(const Chunk& chunk, const Range& range) const {
    if (problem_.b == Access::in_place) return;
    Word* to = chunk.buffers.b + (range.b - chunk.buffers.b);
    if (args_.b_panels != nullptr) {
      for (std::int64_t n = 0; n < chunk.columns; n += kLanes, to += range.panel)
        widen_panel((chunk.column + n) / kLanes, range, to);
      return;
    }
    if (problem_.b == Access::coded) return unpack_b(chunk, range, to);
    const char* data = b_.at(chunk.batch, 0, chunk.column);
    const Operand x{data, b_.column, b_.row, b_.bf16, count_k_};
    pack_panels<Mode>(x, range.begin, range.words, chunk.columns, to);
  }

  void unpack_b([[maybe_unused]] const Chunk& chunk, [[maybe_unused]] const Range& range,
                [[maybe_unused]] Word* to) const {
#if !defined(__AVX512F__)
    for (std::int64_t n = 0; n < chunk.columns; n += 2 * kLanes, to += 2 * range.panel)
      unpack_codes({args_.b_codes.data, count_k_, chunk.column + n}, range.begin, range.words,
                   range.panel, to);
#endif
  }

  /// Panels of bf16 pairs, widened to f32.
  void widen_panel(std::int64_t panel, const Range& range, Word* to) const {
    const char* pairs = static_cast<const char*>(args_.b_panels) +
                        (panel * ceil_div(count_k_, 2) + range.begin / 2) * kLanes * 4;
    for (std::int64_t k = 0; k < range.words; ++k) {
      for (int half = 0; half < kLanes; half += 8) {
        const __m256 x = load_words(pairs + (k / 2 * kLanes + half) * 4);
        _mm256_storeu_ps(reinterpret_cast<float*>(to + k * kLanes + half),
                         k % 2 == 0 ? even_of(x) : odd_of(x));
      }
    }
  }

  Rows prepare_a(const Chunk& chunk, const Range& range, std::int64_t r, std::int64_t rows) const {
    char* data = a_.at(chunk.batch, chunk.row + r, 0);
    if (problem_.a == Access::in_place) {
      const std::ptrdiff_t row = Mode::kPairs ? a_.row / 2 : a_.row;
      return {reinterpret_cast<Word*>(data) + range.begin, row, 1, row * kTileRows};
    }
    const Operand x{data, a_.row, a_.column, a_.bf16, count_k_};
    Word* to = chunk.buffers.a;
    if (problem_.a == Access::side_by_side) {
      pack_side_by_side<Mode>(x, range.begin, range.words, static_cast<int>(rows), to);
      return {to, 1, kGroupLanes, range.words * kGroupLanes};
    }
    const std::ptrdiff_t row = round_up(plan_.range, kLanes) + kLanes;
    copy_rows<Mode>(x, range.begin, range.words, static_cast<int>(rows), to, row);
    return {to, row, 1, row * kTileRows};
  }

  /// The part of a tile that does not depend on its place.
  Tile tile_of(const Range& range, const Rows& rows) const {
    Tile t = {};
    t.a_row = rows.row;
    t.b_panel = range.panel;
    t.words = range.words;
    t.resume = range.begin > 0 || args_.accumulate;
    t.finish = range.begin + range.words == problem_.words;
    t.partial_row = plan_.partial_bytes > 0 ? plan_.strip_panels * kLanes : c_.row;
    t.out_row = c_.row;
    t.out_bf16 = c_.bf16;
    return t;
  }

  /// Where the sums of a tile wait between ranges of k: c, or the buffer when c is bf16.
  float* partial_at(const Chunk& chunk, std::int64_t group, std::int64_t row,
                    std::int64_t column) const {
    if (plan_.partial_bytes > 0) {
      const std::int64_t at = plan_.passes > 1 ? group + row : row;
      return chunk.buffers.partial + at * plan_.strip_panels * kLanes + column;
    }
    if (c_.bf16) return nullptr;  // one range: nothing to keep
    return reinterpret_cast<float*>(
        c_.at(chunk.batch, chunk.row + group + row, chunk.column + column));
  }

  /// Whether b, read as rows of k, lies without gaps.
  bool rows_adjoin() const { return b_.row == 1 && b_.column == count_k_; }

  static void fetch(const char* p, std::int64_t bytes) {
    for (std::int64_t at = 0; at < bytes; at += 64) _mm_prefetch(p + at, _MM_HINT_T0);
  }

  /// Up to `width` columns of all rows of a chunk, from column n of it on.
  void point_at(const Chunk& chunk, std::int64_t n, std::int64_t width, Tile& t) const {
    t.columns = static_cast<int>(std::min(width, chunk.columns - n));
    t.bias = args_.bias.empty() ? nullptr : chunk.buffers.bias + n;
    t.partial = partial_at(chunk, 0, 0, n);
    t.out = c_.at(chunk.batch, chunk.row, chunk.column + n);
  }

  /// All rows of a chunk that has few, over all of k.
  void run_few(const Chunk& chunk) const {
    const Range all{0, problem_.words, nullptr, 0};
    const Rows a = prepare_a(chunk, all, 0, chunk.rows);
    Tile t = tile_of(all, a);
    t.a = a.data;
    if (problem_.b == Access::coded) return run_coded(chunk, t);
    const std::int64_t row = b_.column * (b_.bf16 ? 2 : 4);
    if (rows_adjoin()) fetch(b_.at(chunk.batch, 0, chunk.column), kLanes * row);
    for (std::int64_t n = 0; n < chunk.columns; n += kLanes) {
      point_at(chunk, n, kLanes, t);
      const char* data = b_.at(chunk.batch, 0, chunk.column + n);
      const Operand x{data, b_.column, b_.row, b_.bf16, count_k_};
      const bool more = n + 2 * kLanes <= chunk.columns && rows_adjoin();
      few_rows<Mode>(static_cast<int>(chunk.rows), x, t, {more ? data + kLanes * row : nullptr});
    }
  }

  void run_coded([[maybe_unused]] const Chunk& chunk, [[maybe_unused]] Tile& t) const {
#if !defined(__AVX512F__)
    for (std::int64_t n = 0; n < chunk.columns; n += 2 * kLanes) {
      point_at(chunk, n, 2 * kLanes, t);
      const CodedColumns b(args_.b_codes.data, count_k_, chunk.column + n);
      chunk.rows == 1 ? run_coded_rows<1>(b, t) : run_coded_rows<2>(b, t);
    }
#endif
  }

  /// A group of rows over one range of k. Columns are outermost: the b of one tile is used by all
  /// rows before the next is fetched.
  void run_rows(const Chunk& chunk, const Range& range, std::int64_t group,
                const std::array<Ahead*, 2>& ahead) const {
    const std::int64_t count = std::min(plan_.group_rows, chunk.rows - group);
    const Rows a = prepare_a(chunk, range, group, count);
    Tile t = tile_of(range, a);
    constexpr std::int64_t kWidth = kTileVectors * kLanes;
    for (std::int64_t n = 0; n < chunk.columns; n += kWidth) {
      t.columns = static_cast<int>(std::min(kWidth, chunk.columns - n));
      t.b = range.b + n / kLanes * range.panel;
      t.bias = args_.bias.empty() ? nullptr : chunk.buffers.bias + n;
      const int vectors = static_cast<int>(ceil_div(t.columns, kLanes));
      const bool last = n + kWidth >= chunk.columns;
      for (std::int64_t r = 0; r < count; r += kTileRows) {
        const int rows = static_cast<int>(std::min<std::int64_t>(kTileRows, count - r));
        const bool below = r + kTileRows < count;
        t.a = a.data + r / kTileRows * a.tile;
        t.next_a = below ? t.a + a.tile : last ? nullptr : a.data;
        t.partial = partial_at(chunk, group, r, n);
        t.out = c_.at(chunk.batch, chunk.row + group + r, chunk.column + n);
        t.next_partial = t.resume && below ? t.partial + kTileRows * t.partial_row : nullptr;
        for (int i : {0, 1}) t.ahead[i] = ahead[i]->next(range.words);
        tile_for<Mode>(rows, vectors, a.k == 1)(t);
      }
    }
  }

  const MatmulArgs& args_;
  Matrix a_, b_, c_;
  std::int64_t count_k_, batch_;
  Problem problem_;
  Plan plan_;
};

}  // namespace lathe::kernels::LATHE_ISA
