#include "lathe/model/nn/kv_cache.h"

#include <gtest/gtest.h>

#include <cstring>

#include "lathe/base/error.h"
#include "lathe/base/random.h"

namespace lathe::nn {
namespace {

using kernels::KvType;

constexpr std::int64_t kHeads = 3, kSize = 16;

model::ModelConfig config(std::int64_t layers = 2, std::int64_t window = 0) {
  model::ModelConfig c;
  c.kind = "llama", c.vocab = 8, c.context = 4096, c.layers = layers;
  c.width = kHeads * kSize, c.heads = kHeads, c.kv_heads = 1, c.window = window;
  if (window > 0)
    for (std::int64_t i = 0; i < layers; ++i) c.window_layers.push_back(i % 2);
  c.resolve();
  return c;
}

/// q, k and v of the tokens of `rows` texts, a function of text, position and layer.
struct Texts {
  std::vector<int> texts;  // which text each row is

  Tensor draw(const char* what, std::int64_t heads, std::int64_t layer, std::int64_t from,
              std::int64_t n) const {
    std::vector<float> values;
    for (const int text : texts)
      for (std::int64_t t = from; t < from + n; ++t) {
        const RandomStream random(static_cast<std::uint64_t>(text * 100 + layer),
                                  what + std::to_string(t));
        for (std::int64_t i = 0; i < heads * kSize; ++i)
          values.push_back(static_cast<float>(random.normal(static_cast<std::uint64_t>(i))));
      }
    return Tensor::from(values, {static_cast<std::int64_t>(texts.size()), n, heads, kSize});
  }
};

/// Passes tokens [length, length + n) of the rows through all layers and returns their results.
std::vector<Tensor> pass(KvCache& cache, const model::ModelConfig& c, const Texts& rows,
                         std::int64_t n) {
  const auto count = static_cast<std::int64_t>(rows.texts.size());
  const std::int64_t from = cache.length();
  const std::vector<std::int32_t> zeros(static_cast<std::size_t>(count * n), 0);
  const model::TokenBatch batch =
      model::TokenBatch::from(count, n, zeros.data(), zeros.data(), zeros.data());
  std::vector<Tensor> results;
  cache.open(count, n);
  for (std::int64_t i = 0; i < c.layers; ++i)
    results.push_back(cache.attend(i, rows.draw("q", kHeads, i, from, n),
                                   rows.draw("k", 1, i, from, n), rows.draw("v", 1, i, from, n),
                                   batch.document_start,
                                   {.scale = 0.25, .window = c.window_of(i)}));
  cache.advance(n);
  return results;
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].shape() != b[i].shape() ||
        std::memcmp(a[i].bytes_begin(), b[i].bytes_begin(), a[i].bytes()) != 0)
      return false;
  return a.size() == b.size();
}

/// What the last of `length` tokens of each row sees in a cache of its own, read at once.
std::vector<Tensor> alone(const model::ModelConfig& c, KvType type, const Texts& rows,
                          std::int64_t length) {
  KvCache cache(c, type, static_cast<std::int64_t>(rows.texts.size()), length);
  pass(cache, c, rows, length - 1);
  return pass(cache, c, rows, 1);
}

std::int64_t page_bytes(KvType type) { return kernels::kv_page_bytes(type, 1, kSize); }

TEST(KvCache, EqualsAttentionWithoutOne) {
  const auto c = config();
  const Texts rows{{1, 2}};
  KvCache cache(c, KvType::f32, 2, 200);
  pass(cache, c, rows, 130);
  const auto got = pass(cache, c, rows, 3);
  const Tensor starts = Tensor::from(std::vector<std::int32_t>(6, 0), {2, 3});
  for (std::int64_t i = 0; i < c.layers; ++i) {
    const Tensor want =
        ops::attention(rows.draw("q", kHeads, i, 130, 3), rows.draw("k", 1, i, 0, 133),
                       rows.draw("v", 1, i, 0, 133), starts, {.scale = 0.25, .query_offset = 130});
    EXPECT_TRUE(same({got[static_cast<std::size_t>(i)]}, {want})) << "layer " << i;
  }
}

TEST(KvCache, TakesPagesAsTheTextGrowsAndGivesThemBack) {
  for (const KvType type : {KvType::f32, KvType::bf16, KvType::q8_0}) {
    const auto c = config();
    KvCache cache(c, type, 2, 1000);
    const std::int64_t of_all_layers = 2 * page_bytes(type);
    EXPECT_EQ(cache.bytes(), 0);
    pass(cache, c, {{1, 2}}, 64);
    EXPECT_EQ(cache.bytes(), 2 * of_all_layers);
    pass(cache, c, {{1, 2}}, 1);
    EXPECT_EQ(cache.bytes(), 4 * of_all_layers);
    EXPECT_EQ(cache.truncate(64), 64);
    EXPECT_EQ(cache.bytes(), 2 * of_all_layers);
    EXPECT_EQ(cache.truncate(0), 0);
    EXPECT_EQ(cache.bytes(), 0);
  }
}

TEST(KvCache, AShortenedTextGoesOnAsItself) {
  const auto c = config();
  for (const std::int64_t keep : {1, 63, 64, 65, 100}) {
    KvCache cache(c, KvType::q8_0, 1, 300);
    pass(cache, c, {{7}}, keep);
    pass(cache, c, {{8}}, 150);
    cache.truncate(keep);
    pass(cache, c, {{7}}, 129 - keep);
    EXPECT_TRUE(same(pass(cache, c, {{7}}, 1), alone(c, KvType::q8_0, {{7}}, 130))) << keep;
  }
}

// Beams: rows that come from one share its pages until one of them writes.
TEST(KvCache, RowsShareWhatTheyHaveInCommon) {
  const auto c = config();
  for (const std::int64_t prompt : {64, 100}) {
    KvCache cache(c, KvType::bf16, 4, 300);
    cache.select_rows(std::vector<std::int32_t>{0});
    EXPECT_EQ(cache.rows(), 1);
    pass(cache, c, {{1}}, prompt);
    const std::int64_t before = cache.bytes();
    cache.select_rows(std::vector<std::int32_t>{0, 0, 0, 0});
    EXPECT_EQ(cache.rows(), 4);
    EXPECT_EQ(cache.bytes(), before);
    // Texts 2 and 3 have the prompt of text 1: write it over theirs.
    const auto first = pass(cache, c, {{1, 2, 3, 1}}, 1);
    EXPECT_TRUE(same({ops::slice(first[1], 0, 0, 1)}, {ops::slice(first[1], 0, 3, 4)}));
    EXPECT_EQ(cache.bytes(), before + (prompt % 64 == 0 ? 4 : 3) * 2 * page_bytes(KvType::bf16));
    KvCache other(c, KvType::bf16, 1, 300);
    pass(other, c, {{1}}, prompt);
    pass(other, c, {{3}}, 1);
    cache.select_rows(std::vector<std::int32_t>{2, 2});
    const auto shared = pass(cache, c, {{3, 1}}, 1), own = pass(other, c, {{3}}, 1);
    for (std::size_t i = 0; i < 2; ++i)
      EXPECT_TRUE(same({ops::contiguous(ops::slice(shared[i], 0, 0, 1))}, {own[i]}));
    cache.truncate(0);
    EXPECT_EQ(cache.bytes(), 0);
  }
}

// Layer 1 sees 20 keys: its pages are given back, those of layer 0 stay.
TEST(KvCache, LayersWithAWindowKeepWhatCanBeSeen) {
  const auto c = config(2, 20);
  KvCache cache(c, KvType::f32, 1, 3000);
  std::int64_t most = 0;
  for (std::int64_t i = 0; i < 2500; i += 50) {
    pass(cache, c, {{5}}, 50);
    const std::int64_t blocks = (cache.length() + 63) / 64;
    most = std::max(most, cache.bytes() / page_bytes(KvType::f32) - blocks);
  }
  EXPECT_LE(most, (20 + PageGroup::kRewind + 50) / 64 + 2);
  EXPECT_TRUE(same(pass(cache, c, {{5}}, 1), alone(c, KvType::f32, {{5}}, 2501)));
  // A little way back all is there; further it is not, and the text begins anew.
  EXPECT_EQ(cache.truncate(2501 - PageGroup::kRewind), 2501 - PageGroup::kRewind);
  const std::int64_t length = cache.length();
  EXPECT_TRUE(same(pass(cache, c, {{5}}, 1), alone(c, KvType::f32, {{5}}, length + 1)));
  EXPECT_EQ(cache.truncate(1000), 0);
  EXPECT_EQ(cache.bytes(), 0);
}

TEST(KvCache, RefusesWhatDoesNotFit) {
  const auto c = config();
  KvCache cache(c, KvType::f32, 1, 100);
  pass(cache, c, {{1}}, 99);
  EXPECT_THROW(cache.open(1, 2), Error);
  EXPECT_THROW(cache.open(2, 1), Error);
  EXPECT_THROW(cache.truncate(100), Error);
  EXPECT_THROW(cache.truncate(-1), Error);
}

}  // namespace
}  // namespace lathe::nn
