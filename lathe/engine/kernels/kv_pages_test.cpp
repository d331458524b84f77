// Pages: what is written is what kv_pages.h says, attention over pages is attention over the values
// that they stand for, and a text has one result, however it passes through them.
#include "lathe/engine/kernels/kv_pages.h"

#include <limits>
#include <numeric>

#include "lathe/engine/kernels/attention_testing.h"
#include "lathe/engine/kernels/kv_element.h"

namespace lathe::kernels {

namespace bf16_simde {
void attention_paged(const AttentionPagedArgs& args) noexcept;
}

namespace {

using namespace testing;
using attention_detail::kv_head;
using attention_detail::kv_key;
using attention_detail::kv_value;

constexpr KvType kTypes[] = {KvType::f32, KvType::bf16, KvType::q8_0};

struct Text {
  std::int64_t batch = 1, length = 1, heads = 2, kv_heads = 1, size = 16;
  KvType type = KvType::f32;
  DType dtype = DType::f32;          // of q, k and v; results are f32
  std::vector<std::int32_t> starts;  // [batch * length] or empty
  float soft_cap = 0;
  std::int64_t window = 0;
  std::uint64_t seed = 1;

  std::string text() const {
    return fmt::format("B{} T{} H{} K{} D{} {} of {} cap{} window{} starts{}", batch, length, heads,
                       kv_heads, size, name(type), lathe::name(dtype), soft_cap, window,
                       starts.size());
  }
};

/// Texts, a cache of scattered pages that begins as NaN, and results.
class Cache {
 public:
  explicit Cache(const Text& t)
      : text(t),
        q(Array::random(t.dtype, {t.batch, t.length, t.heads, t.size}, t.seed)),
        k(Array::random(t.dtype, {t.batch, t.length, t.kv_heads, t.size}, t.seed + 100)),
        v(Array::random(t.dtype, {t.batch, t.length, t.kv_heads, t.size}, t.seed + 200)),
        out(DType::f32, {t.batch, t.length, t.heads, t.size}),
        blocks((t.length + kKvPage - 1) / kKvPage) {
    std::int64_t count = t.batch * blocks + 2;
    while (std::gcd(count, std::int64_t{5}) != 1) ++count;  // no page twice
    pages = Array(DType::u8, {count, kv_page_bytes(t.type, t.kv_heads, t.size)});
    pages.fill(0xFF);  // NaN in f32 and bf16, and as a scale
    for (std::int64_t i = 0; i < t.batch * blocks; ++i)
      table.push_back(static_cast<std::int32_t>((i * 5 + 3) % count));
  }

  KvPages where(const std::vector<std::int32_t>& first, std::int64_t row = 0) const {
    KvPages p;
    p.pages = pages.view();
    p.table = ints(table.data() + row * blocks, {static_cast<std::int64_t>(first.size()), blocks});
    p.first = ints(first.data(), {static_cast<std::int64_t>(first.size())});
    p.type = text.type;
    return p;
  }

  /// Tokens [first[b], first[b] + count) of rows [row, row + first.size()): written and attended.
  template <typename Attend>
  void pass(std::vector<std::int32_t> first, std::int64_t count, std::int64_t row, Attend attend) {
    const auto rows = static_cast<std::int64_t>(first.size());
    const std::int64_t token = text.heads * text.size;
    Array part_q(text.dtype, {rows, count, text.heads, text.size});
    Array part_out(DType::f32, {rows, count, text.heads, text.size});
    Array part_k(text.dtype, {rows, count, text.kv_heads, text.size});
    Array part_v(text.dtype, {rows, count, text.kv_heads, text.size});
    std::vector<std::int32_t> starts(static_cast<std::size_t>(rows * count), 0);
    const auto copy = [&](const Array& from, Array& to, std::int64_t n) {
      each(first, count, row, [&](std::int64_t i, std::int64_t at) {
        for (std::int64_t d = 0; d < n; ++d) to.set(i * n + d, from.at(at * n + d));
      });
    };
    copy(q, part_q, token);
    copy(k, part_k, text.kv_heads * text.size);
    copy(v, part_v, text.kv_heads * text.size);
    each(first, count, row, [&](std::int64_t i, std::int64_t at) {
      if (!text.starts.empty())
        starts[static_cast<std::size_t>(i)] = text.starts[static_cast<std::size_t>(at)];
    });
    const KvPages pages_of = where(first, row);
    kv_write({pages_of, part_k.view(), part_v.view()});
    ASSERT_TRUE(pages.guard_is_intact());
    AttentionPagedArgs a;
    a.q = part_q.view(), a.out = part_out.view(), a.pages = pages_of;
    a.document_start = ints(starts.data(), {rows, count});
    a.scale = 1.0f / std::sqrt(static_cast<float>(text.size));
    a.soft_cap = text.soft_cap, a.window = text.window;
    const std::int64_t bytes = attention_paged_workspace(a);
    std::vector<unsigned char> workspace(static_cast<std::size_t>(bytes) + 64, 0xFF);
    std::fill(workspace.end() - 64, workspace.end(), 0xA5);
    a.workspace = workspace.data(), a.workspace_bytes = bytes;
    attend(a);
    for (std::size_t i = workspace.size() - 64; i < workspace.size(); ++i)
      ASSERT_EQ(workspace[i], 0xA5) << "wrote behind the workspace";
    for (std::int64_t b = 0; b < rows; ++b)  // tokens that are not there have zeros
      for (std::int64_t t = 0; t < -first[static_cast<std::size_t>(b)] && t < count; ++t)
        for (std::int64_t d = 0; d < token; ++d)
          ASSERT_EQ(part_out.at((b * count + t) * token + d), 0);
    each(first, count, row, [&](std::int64_t i, std::int64_t at) {
      for (std::int64_t d = 0; d < token; ++d) out.set(at * token + d, part_out.at(i * token + d));
    });
  }
  void pass(std::vector<std::int32_t> first, std::int64_t count, std::int64_t row = 0) {
    pass(std::move(first), count, row, [](const AttentionPagedArgs& a) { attention_paged(a); });
  }

  /// All rows in chunks.
  template <typename Attend>
  Cache& read(std::int64_t chunk, Attend attend) {
    for (std::int64_t at = 0; at < text.length; at += chunk)
      pass(std::vector<std::int32_t>(static_cast<std::size_t>(text.batch),
                                     static_cast<std::int32_t>(at)),
           std::min(chunk, text.length - at), 0, attend);
    return *this;
  }
  Cache& read(std::int64_t chunk) {
    return read(chunk, [](const AttentionPagedArgs& a) { attention_paged(a); });
  }

  /// What attention over the values that the pages stand for gives.
  Array dense() {
    Array keys(DType::f32, {text.batch, text.length, text.kv_heads, text.size});
    Array values(DType::f32, {text.batch, text.length, text.kv_heads, text.size}), y = out;
    const KvLayout layout = kv_layout(text.type, text.size);
    const KvPages p = where(std::vector<std::int32_t>(static_cast<std::size_t>(text.batch), 0));
    std::int64_t i = 0;
    for (std::int64_t b = 0; b < text.batch; ++b)
      for (std::int64_t j = 0; j < text.length; ++j)
        for (std::int64_t g = 0; g < text.kv_heads; ++g)
          for (std::int64_t d = 0; d < text.size; ++d, ++i) {
            const std::byte* head = kv_head(p, layout, b, j, g);
            keys.set(i, kv_key(text.type, layout, head, j % kKvPage, d));
            values.set(i, kv_value(text.type, layout, head, j % kKvPage, d));
          }
    AttentionArgs a;
    a.q = q.view(), a.k = keys.view(), a.v = values.view(), a.out = y.view();
    if (!text.starts.empty())
      a.document_start = ints(text.starts.data(), {text.batch, text.length});
    a.scale = 1.0f / std::sqrt(static_cast<float>(text.size));
    a.soft_cap = text.soft_cap, a.window = text.window;
    std::vector<unsigned char> workspace(static_cast<std::size_t>(attention_workspace(a)));
    a.workspace = workspace.data(), a.workspace_bytes = attention_workspace(a);
    attention(a);
    return y;
  }

  Text text;
  Array q, k, v, out, pages;
  std::vector<std::int32_t> table;
  std::int64_t blocks;

 private:
  static View ints(const std::int32_t* data, std::vector<std::int64_t> dims) {
    View v{.data = const_cast<std::int32_t*>(data)};
    v.rank = static_cast<int>(dims.size()), v.dtype = DType::i32;
    std::int64_t stride = 1;
    for (int i = v.rank - 1; i >= 0; --i) {
      v.dims[i] = dims[static_cast<std::size_t>(i)], v.strides[i] = stride;
      stride *= v.dims[i];
    }
    return v;
  }
  /// visit(index in the part, index in the whole) of every token that is there.
  template <typename Visit>
  void each(const std::vector<std::int32_t>& first, std::int64_t count, std::int64_t row,
            Visit visit) const {
    for (std::size_t b = 0; b < first.size(); ++b)
      for (std::int64_t t = std::max(0, -first[b]); t < count; ++t)
        visit(static_cast<std::int64_t>(b) * count + t,
              (row + static_cast<std::int64_t>(b)) * text.length + first[b] + t);
  }
};

std::vector<Text> texts() {
  std::vector<Text> list;
  const auto add = [&](Text t) {
    t.seed = list.size() + 1;
    for (const KvType type : kTypes)
      for (const DType dtype : {DType::f32, DType::bf16}) {
        t.type = type, t.dtype = dtype;
        list.push_back(t);
      }
  };
  for (const std::int64_t size : {1, 7, 32, 40, 64, 65, 80})
    add({.length = 75, .heads = 3, .kv_heads = 1, .size = size});
  for (const std::int64_t length : {1, 15, 64, 65, 200})
    add({.batch = 2, .length = length, .heads = 4, .kv_heads = 2, .size = 32});
  for (const std::int64_t heads : {1, 2, 5, 7})  // group sizes that no tile divides
    add({.length = 70, .heads = heads, .kv_heads = 1, .size = 24});
  add({.batch = 2,
       .length = 150,
       .heads = 3,
       .kv_heads = 1,
       .size = 33,
       .starts = packed(2, 150, {70, 1, 3, 90, 2})});
  add({.length = 140, .heads = 2, .kv_heads = 1, .size = 16, .window = 1});
  add({.length = 200,
       .heads = 3,
       .kv_heads = 1,
       .size = 48,
       .starts = packed(1, 200, {129, 71}),
       .window = 67});
  add({.length = 90, .heads = 2, .kv_heads = 1, .size = 16, .soft_cap = 1.5f});
  return list;
}

/// The values of a NaN, an infinity, zeros and of the largest and smallest numbers.
void spice(Array& a) {
  const double values[] = {std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity(),
                           0,
                           -0.0,
                           3e38,
                           1e-38};
  for (std::int64_t i = 0; i < a.count(); i += 37) a.set(i, values[i / 37 % 6]);
}

TEST(KvWrite, FastEqualsReferenceBitForBit) {
  for (const Text& t : texts())
    for (const bool special : {false, true}) {
      const Cache fresh(t);
      expect_one_result(t.text(), [&] {
        Cache c = fresh;
        if (special) spice(c.k), spice(c.v);
        std::vector<std::int32_t> first(static_cast<std::size_t>(t.batch), 0);
        kv_write({c.where(first), c.k.view(), c.v.view()});
        return std::vector<Array>{c.pages};
      });
    }
}

TEST(KvWrite, KeepsWhatTheTypeHolds) {
  for (const KvType type : kTypes) {
    Cache c({.length = 100, .heads = 2, .kv_heads = 2, .size = 40, .type = type});
    kv_write({c.where({0}), c.k.view(), c.v.view()});
    const KvLayout y = kv_layout(type, 40);
    for (std::int64_t j = 0; j < 100; ++j)
      for (std::int64_t g = 0; g < 2; ++g)
        for (std::int64_t d = 0; d < 40; ++d) {
          const std::byte* head = kv_head(c.where({0}), y, 0, j, g);
          const std::int64_t at = (j * 2 + g) * 40;
          double largest = 0;
          for (std::int64_t e = d / 32 * 32; e < std::min<std::int64_t>(40, d / 32 * 32 + 32); ++e)
            largest = std::max({largest, std::abs(c.k.at(at + e)), std::abs(c.v.at(at + e))});
          // Half a step of 127, and what rounding the scale and the product can add. Draws are
          // numbers that bf16 holds.
          const double off = type == KvType::q8_0 ? largest * (0.5 / 127 + 1e-6) : 0;
          ASSERT_NEAR(kv_key(type, y, head, j % kKvPage, d), c.k.at(at + d), off) << name(type);
          ASSERT_NEAR(kv_value(type, y, head, j % kKvPage, d), c.v.at(at + d), off) << name(type);
        }
  }
}

TEST(AttentionPaged, FastEqualsReferenceBitForBit) {
  for (const Text& t : texts()) {
    const Cache fresh(t);
    for (const std::int64_t chunk : {t.length, std::int64_t{1}}) {
      if (chunk == 1 && t.length > 100) continue;
      expect_one_result(t.text(), [&] {
        Cache c = fresh;
        c.read(chunk);
        return std::vector<Array>{c.out};
      });
    }
  }
}

TEST(AttentionPaged, EqualsAttentionOverWhatThePagesStandFor) {
  const RestoreSettings restore;
  for (const Text& t : texts())
    for (const Isa level : {Isa::reference, Isa::avx2, Isa::avx512}) {
      if (!set_isa(level)) continue;
      Cache c(t);
      c.read(t.length);
      expect_same(c.out, c.dense(), t.text());
    }
}

/// Runs `law` for every type on every instruction set of this machine.
template <typename Law>
void on_every_isa(Law law) {
  const RestoreSettings restore;
  for (const Isa level : {Isa::reference, Isa::avx2, Isa::avx512, Isa::avx512_bf16})
    for (const KvType type : kTypes)
      for (const DType dtype : {DType::f32, DType::bf16}) {
        if (!set_isa(level)) continue;
        SCOPED_TRACE(fmt::format("{} {} {}", name(level), name(type), lathe::name(dtype)));
        for (const int threads : {1, 3}) {
          if (level == Isa::reference && threads == 1) continue;
          set_thread_count(threads);
          law(type, dtype);
        }
      }
}

TEST(AttentionPagedLaws, PrefillEqualsAnyChunkingAndDecode) {
  on_every_isa([](KvType type, DType dtype) {
    for (const std::int64_t window : {0, 40}) {
      const Text t{.batch = 2,
                   .length = 203,
                   .heads = 6,
                   .kv_heads = 2,
                   .size = 40,
                   .type = type,
                   .dtype = dtype,
                   .starts = packed(2, 203, {5, 198, 203}),
                   .window = window,
                   .seed = 11};
      Cache whole(t);
      whole.read(203);
      for (const std::int64_t chunk : {1, 2, 7, 65}) {
        Cache parts(t);
        parts.read(chunk);
        expect_same(parts.out, whole.out, fmt::format("chunks of {}, window {}", chunk, window));
        ASSERT_EQ(parts.pages.first_difference(whole.pages), -1);
      }
    }
  });
}

// Rows of different length in one call, some of which bring fewer tokens or none.
TEST(AttentionPagedLaws, RowsOfDifferentLengthGiveWhatEachGivesAlone) {
  on_every_isa([](KvType type, DType dtype) {
    const Text t{.batch = 5,
                 .length = 300,
                 .heads = 3,
                 .kv_heads = 1,
                 .size = 24,
                 .type = type,
                 .dtype = dtype,
                 .seed = 13};
    const std::vector<std::int32_t> before = {0, 298, 63, 64, 200};
    const auto fill = [&](Cache& c) {
      for (std::int64_t b = 0; b < 5; ++b)
        if (const std::int32_t n = before[static_cast<std::size_t>(b)]; n > 0) c.pass({0}, n, b);
      c.out.fill(0);
    };
    Cache together(t), alone(t);
    fill(together);
    fill(alone);
    together.pass({-1, 298, 63, 64, -2}, 2);
    alone.pass({0}, 1, 0);
    for (std::int64_t b = 1; b < 4; ++b) alone.pass({before[static_cast<std::size_t>(b)]}, 2, b);
    expect_same(together.out, alone.out, t.text());
    ASSERT_EQ(together.pages.first_difference(alone.pages), -1);
  });
}

// The native products on pairs: near the f32 chains, and one result for any chunks.
TEST(AttentionPagedBf16, EmulatedIsNearReferenceInAnyChunks) {
  const RestoreSettings restore;
  const auto emulated = [](const AttentionPagedArgs& a) { bf16_simde::attention_paged(a); };
  for (const std::int64_t window : {0, 33}) {
    const Text t{.batch = 1,
                 .length = 150,
                 .heads = 3,
                 .kv_heads = 1,
                 .size = 33,
                 .type = KvType::bf16,
                 .dtype = DType::bf16,
                 .starts = packed(1, 150, {67, 83}),
                 .window = window,
                 .seed = 17};
    Cache whole(t), steps(t), truth(t);
    whole.read(150, emulated);
    steps.read(1, emulated);
    expect_same(steps.out, whole.out, t.text());
    set_isa(Isa::reference);
    truth.read(150);
    double largest = 0, apart = 0;
    for (std::int64_t i = 0; i < truth.out.count(); ++i) {
      ASSERT_TRUE(std::isfinite(whole.out.at(i))) << t.text();
      largest = std::max(largest, std::abs(truth.out.at(i)));
      apart = std::max(apart, std::abs(truth.out.at(i) - whole.out.at(i)));
    }
    EXPECT_LT(apart / largest, 0.006);  // attention_bf16_test.cpp
    EXPECT_GT(apart, 0.0) << "the emulated products were not used";
  }
}

}  // namespace
}  // namespace lathe::kernels
