#include "lathe/data/document_stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lathe/data/test_batches.h"

namespace lathe::data {
namespace {

/// A part of a long text has no eos and no bos where the text goes on.
TEST(Order, PartsOfOneTextShareOneEos) {
  const TestFolder folder;
  const std::string path = folder.write("a.txt", std::string(1000, 'x'));
  std::vector<StreamSource> sources;
  sources.push_back({.name = "a",
                     .index = DocumentIndex::open(path, {.part_bytes = 300}, folder / "cache"),
                     .cache = nullptr});
  DocumentStream stream(std::move(sources), byte_encoding(true, true), Order::kSequential, 0);
  std::vector<std::int32_t> ids;
  EncodedDocument d;
  int parts = 0;
  while (stream.next(d)) ++parts, ids.insert(ids.end(), d.ids.begin(), d.ids.end());
  EXPECT_EQ(parts, 4);
  EXPECT_EQ(ids.size(), 1002U);
  EXPECT_EQ(ids.front(), 257);
  EXPECT_EQ(ids.back(), 256);
}

TEST(Order, EachEpochIsAPermutationOfItsOwn) {
  Fixture f;
  f.add("a.jsonl", corpus('a', 37));
  std::vector<StreamSource> sources;
  sources.push_back({.name = "a",
                     .index = DocumentIndex::open(f.config.train[0].path, {}, f.folder / "cache"),
                     .cache = nullptr});
  DocumentStream stream(std::move(sources), byte_encoding(), Order::kShuffled, 3);
  std::vector<std::vector<std::uint64_t>> epochs;
  EncodedDocument d;
  for (int e = 0; e < 4; ++e) {
    auto& order = epochs.emplace_back();
    for (int i = 0; i < 37; ++i) {
      ASSERT_TRUE(stream.next(d));
      order.push_back(d.record);
      EXPECT_EQ(d.record, stream.record_at(0, e * 37 + i));
    }
    std::vector<std::uint64_t> sorted = order;
    std::sort(sorted.begin(), sorted.end());
    for (std::uint64_t i = 0; i < 37; ++i) EXPECT_EQ(sorted[i], i);
    EXPECT_NE(order, sorted);
    for (int b = 0; b < e; ++b) EXPECT_NE(order, epochs[static_cast<std::size_t>(b)]);
  }
}

TEST(Order, DependsOnTheSeedAlone) {
  Fixture f;
  f.add("a.jsonl", corpus('a', 60));
  const Rows first = take(*f.open(), {20});
  f.options.cache_folder = f.folder / "other";
  f.config.token_cache = false;
  EXPECT_EQ(take(*f.open(), {20}), first);
  f.options.seed = 8;
  EXPECT_NE(take(*f.open(), {20}).tokens, first.tokens);
}

TEST(Mixture, TokenSharesFollowTheWeights) {
  Fixture f;
  f.add("a.jsonl", corpus('a', 300, 20), 6);
  f.add("b.jsonl", corpus('b', 40, 200), 3);
  f.add("c.txt", std::string(700, 'c'), 1);
  auto source = f.open();
  source->next(2000);
  double total = 0;
  for (const SourceUse& u : source->use()) total += static_cast<double>(u.tokens);
  EXPECT_NEAR(static_cast<double>(source->use()[0].tokens) / total, 0.6, 0.02);
  EXPECT_NEAR(static_cast<double>(source->use()[1].tokens) / total, 0.3, 0.02);
  EXPECT_NEAR(static_cast<double>(source->use()[2].tokens) / total, 0.1, 0.02);
  EXPECT_GT(source->use()[2].epochs, 3);
  EXPECT_EQ(source->use()[2].documents, 1);
}

TEST(Mixture, RefusesBadWeightsAndEmptySources) {
  Fixture f;
  f.add("a.jsonl", corpus('a', 3), 0);
  EXPECT_NE(error_of([&] { f.open(); }).find("weight"), std::string::npos);
  Fixture g;
  g.config.policy = "skip";
  g.add("a.jsonl", "{}\n");
  EXPECT_NE(error_of([&] { g.open(); }).find("got none (1 left out)"), std::string::npos);
  Fixture h;
  EXPECT_NE(error_of([&] { h.open(); }).find("at least one source"), std::string::npos);
}

TEST(Mixture, DocumentsWithoutTokensDoNotHang) {
  for (const bool prefetch : {false, true}) {
    Fixture f(prefetch);
    f.add("a.jsonl", corpus('a', 3));
    Encoding silent = byte_encoding(false);
    silent.encode = [](std::string_view, std::vector<std::int32_t>&) {};
    EXPECT_NE(error_of([&] { f.open(silent)->next(1); }).find("got none"), std::string::npos);
  }
}

TEST(Encoding, IdsOutsideTheVocabularyAreRefused) {
  Fixture f;
  f.add("a.txt", "abc");
  Encoding wrong = byte_encoding();
  wrong.vocab_size = 99;
  EXPECT_NE(error_of([&] { f.open(wrong)->next(1); }).find("vocabulary of 99"), std::string::npos);
}

}  // namespace
}  // namespace lathe::data
