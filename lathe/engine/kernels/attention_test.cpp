#include "lathe/engine/kernels/attention.h"

#include <cmath>
#include <limits>

#include "lathe/engine/kernels/attention_testing.h"

namespace lathe::kernels {
namespace {

using namespace testing;

std::vector<Problem> numbered(std::vector<Problem> list) {
  for (std::size_t i = 0; i < list.size(); ++i) list[i].seed = i + 1;
  return list;
}

/// Sizes that no tile divides, without offsets.
std::vector<Problem> square_problems() {
  std::vector<Problem> list;
  const auto add = [&](const Problem& p) { list.push_back(p); };
  for (const std::int64_t size : {1, 7, 16, 40, 64, 65, 80, 128})
    add({.batch = 1, .queries = 75, .keys = 75, .heads = 3, .kv_heads = 1, .size = size});
  for (const std::int64_t t : {1, 2, 3, 15, 63, 64, 65, 127, 130, 260})
    add({.batch = 2, .queries = t, .keys = t, .heads = 4, .kv_heads = 2, .size = 32});
  for (const std::int64_t heads : {1, 2, 5, 7})  // group sizes that no tile divides
    add({.batch = 1, .queries = 70, .keys = 70, .heads = heads, .kv_heads = 1, .size = 24});
  add({.batch = 2,
       .queries = 150,
       .keys = 150,
       .heads = 3,
       .kv_heads = 1,
       .size = 33,
       .starts = packed(2, 150, {70, 1, 3, 90, 2})});
  add({.batch = 1,
       .queries = 9,
       .keys = 9,
       .heads = 2,
       .kv_heads = 2,
       .size = 16,
       .starts = {0, 5, 0, 5, 3, 3, 20, 0, 8}});  // irregular on purpose; query 6 sees no key
  add({.batch = 1,
       .queries = 140,
       .keys = 140,
       .heads = 2,
       .kv_heads = 1,
       .size = 16,
       .window = 1});
  add({.batch = 1,
       .queries = 200,
       .keys = 200,
       .heads = 3,
       .kv_heads = 1,
       .size = 16,
       .starts = packed(1, 200, {150, 50}),
       .window = 67});
  add({.batch = 1,
       .queries = 90,
       .keys = 90,
       .heads = 2,
       .kv_heads = 1,
       .size = 16,
       .soft_cap = 1.5f});
  return list;
}

std::vector<Problem> problems() {
  std::vector<Problem> list = square_problems();
  const auto add = [&](const Problem& p) { list.push_back(p); };
  add({.batch = 2,
       .queries = 37,
       .keys = 150,
       .heads = 2,
       .kv_heads = 1,
       .size = 20,
       .causal = false});
  add({.batch = 1,
       .queries = 1,
       .keys = 700,
       .heads = 3,
       .kv_heads = 1,
       .size = 64,
       .offset = 699});
  add({.batch = 2,
       .queries = 3,
       .keys = 300,
       .heads = 6,
       .kv_heads = 2,
       .size = 30,
       .offsets = {297, 41},
       .window = 100});
  add({.batch = 1,
       .queries = 20,
       .keys = 300,
       .heads = 2,
       .kv_heads = 2,
       .size = 64,
       .offset = 280});
  add({.batch = 0, .queries = 4, .keys = 4, .heads = 2, .kv_heads = 1, .size = 16});
  add({.batch = 1, .queries = 0, .keys = 4, .heads = 2, .kv_heads = 1, .size = 16});
  add({.batch = 1, .queries = 3, .keys = 0, .heads = 2, .kv_heads = 1, .size = 16});
  return numbered(std::move(list));
}

TEST(Attention, FastEqualsReferenceBitForBit) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (Problem p : problems()) {
      p.dtype = dtype;
      const AttentionData fresh(p);
      expect_one_result(p.text(), [&] {
        AttentionData x = fresh;
        x.forward();
        return std::vector<Array>{x.out, x.lse};
      });
    }
}

TEST(AttentionBackward, FastEqualsReferenceBitForBit) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (Problem p : problems()) {
      p.dtype = dtype;
      const AttentionData fresh(p);
      expect_one_result(p.text(), [&] {
        AttentionData x = fresh;
        x.forward().backward();
        return std::vector<Array>{x.gradient};
      });
    }
}

/// Documents that share keys, by turns: cells must not run side by side.
std::vector<std::int32_t> overlapping(std::int64_t queries) {
  std::vector<std::int32_t> starts;
  for (std::int64_t i = 0; i < queries; ++i) starts.push_back(i % 32 < 16 ? 0 : 101);
  return starts;
}

// Few heads and many threads: the grid of cells. One whole-head task on one thread is the truth.
TEST(AttentionBackward, GridEqualsWholeHeads) {
  const RestoreSettings restore;
  for (const DType dtype : {DType::f32, DType::bf16})
    for (const auto& starts :
         {std::vector<std::int32_t>(400, 0), packed(1, 400, {133, 1, 100, 65}), overlapping(400)}) {
      const Problem p{.batch = 1,
                      .queries = 400,
                      .keys = 400,
                      .heads = 9,
                      .kv_heads = 3,
                      .size = 16,
                      .dtype = dtype,
                      .starts = starts,
                      .wide = true};
      set_thread_count(1);
      AttentionData one(p);
      one.forward().backward();
      for (const int threads : {2, 7}) {
        set_thread_count(threads);
        AttentionData many(p);
        many.forward().backward();
        expect_same(many.out, one.out, p.text());
        expect_same(many.gradient, one.gradient, p.text());
      }
    }
}

/// softmax in f64 from the textbook, for one query and head.
std::vector<double> textbook(AttentionData& x, std::int64_t b, std::int64_t i, std::int64_t h) {
  const Problem& p = x.problem;
  const AttentionBackwardArgs a = x.args();
  const std::vector<double> q = row(a.q, b, i, h);
  const std::int64_t at = p.offset + i, g = h / (p.heads / p.kv_heads);
  const std::int64_t start =
      p.starts.empty() ? 0 : p.starts[static_cast<std::size_t>(b * p.queries + i)];
  std::vector<double> out(q.size());
  double total = 0;
  for (std::int64_t j = start; j < p.keys && (!p.causal || j <= at); ++j) {
    if (p.window > 0 && at - j >= p.window) continue;
    const std::vector<double> k = row(a.k, b, j, g), v = row(a.v, b, j, g);
    double s = 0;
    for (std::size_t d = 0; d < q.size(); ++d) s += q[d] * k[d];
    s /= std::sqrt(static_cast<double>(p.size));
    if (p.soft_cap > 0) s = p.soft_cap * std::tanh(s / p.soft_cap);
    total += std::exp(s);
    for (std::size_t d = 0; d < q.size(); ++d) out[d] += std::exp(s) * v[d];
  }
  for (double& o : out) o = total > 0 ? o / total : 0;
  return out;
}

TEST(Attention, AgreesWithTheTextbook) {
  for (Problem p : problems()) {
    if (!p.offsets.empty()) continue;
    AttentionData x(p);
    x.forward();
    for (std::int64_t b = 0; b < p.batch; ++b)
      for (std::int64_t i = 0; i < p.queries; ++i)
        for (std::int64_t h = 0; h < p.heads; ++h) {
          const std::vector<double> truth = textbook(x, b, i, h), got = row(x.out.view(), b, i, h);
          for (std::size_t d = 0; d < truth.size(); ++d)
            ASSERT_NEAR(got[d], truth[d], 3e-6) << p.text() << " query " << i << " head " << h;
        }
  }
}

TEST(Attention, LargeScoresNeitherOverflowNorVanish) {
  Problem p{.batch = 1, .queries = 200, .keys = 200, .heads = 1, .kv_heads = 1, .size = 16};
  AttentionData x(p);
  for (std::int64_t i = 0; i < x.fused.count(); ++i) x.fused.set(i, 60 * x.fused.at(i));
  x.forward().backward();
  for (std::int64_t i = 0; i < x.out.count(); ++i) ASSERT_TRUE(std::isfinite(x.out.at(i)));
  for (std::int64_t i = 0; i < x.gradient.count(); ++i)
    ASSERT_TRUE(std::isfinite(x.gradient.at(i)));
}

TEST(AttentionBackward, CentralDifferencesInF64) {
  const RestoreSettings restore;
  set_isa(Isa::reference);
  for (Problem p : {Problem{.batch = 1,
                   .queries = 6,
                   .keys = 6,
                   .heads = 4,
                   .kv_heads = 2,
                   .size = 3,
                   .starts = {0, 0, 0, 3, 3, 3},
                   .seed = 3},
                    Problem{.batch = 2,
                    .queries = 3,
                    .keys = 5,
                    .heads = 2,
                    .kv_heads = 1,
                    .size = 5,
                    .soft_cap = 1.0f,
                    .window = 3,
                    .offset = 2,
                    .seed = 4},
                    Problem{.batch = 1,
                    .queries = 2,
                    .keys = 70,
                    .heads = 1,
                    .kv_heads = 1,
                    .size = 2,
                    .causal = false,
                    .seed = 5}}) {
    p.dtype = DType::f64;
    AttentionData x(p);
    x.forward().backward();
    expect_gradient(x.fused, x.gradient, p.text(), [&](const Array& fused) {
      AttentionData y = x;
      y.fused = fused;
      y.forward();
      return dot(y.out, x.dout);
    });
  }
}

TEST(Attention, QueryWithoutKeysGivesZero) {
  Problem p{.batch = 1,
            .queries = 4,
            .keys = 4,
            .heads = 1,
            .kv_heads = 1,
            .size = 8,
            .starts = {0, 3, 0, 9}};
  AttentionData x(p);
  x.out.fill(7);
  x.gradient.fill(7);
  x.forward().backward();
  for (const std::int64_t i : {1, 3}) {
    EXPECT_EQ(x.lse.at(i), -std::numeric_limits<double>::infinity());
    for (std::int64_t d = 0; d < 8; ++d) EXPECT_EQ(x.out.at(i * 8 + d), 0.0);
    for (const double g : row(x.q(x.gradient), 0, i, 0)) EXPECT_EQ(g, 0.0);
  }
  for (const double g : row(x.k(x.gradient), 0, 3, 0)) EXPECT_EQ(g, 0.0);  // key 3: nobody looks
}

}  // namespace
}  // namespace lathe::kernels
