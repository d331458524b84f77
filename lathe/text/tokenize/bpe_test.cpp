#include "lathe/text/tokenize/bpe.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <thread>

#include "lathe/base/clock.h"
#include "lathe/text/tokenize/test_support.h"

namespace lathe::tokenize {
namespace {

using Ids = std::vector<std::int32_t>;

/// A model of random merges over the bytes, as training could make it.
struct RandomModel {
  std::vector<std::string> tokens;
  std::vector<Merge> merges;
  BpeOptions options;

  RandomModel(std::uint64_t seed, int letters, int count) {
    for (int b = 0; b < 256; ++b) {
      tokens.push_back(std::string(1, static_cast<char>(b)));
      options.byte_ids[static_cast<std::size_t>(b)] = b;
    }
    Draw draw(seed);
    std::map<std::string, bool> known;
    std::vector<std::int32_t> usable;
    for (int i = 0; i < letters; ++i) usable.push_back('a' + i);
    while (std::ssize(merges) < count) {
      const std::int32_t left = usable[draw.below(usable.size())];
      const std::int32_t right = usable[draw.below(usable.size())];
      const std::string both = text(left) + text(right);
      if (both.size() > 40 || !known.emplace(both, true).second) continue;
      merges.push_back({left, right, static_cast<std::int32_t>(tokens.size())});
      usable.push_back(static_cast<std::int32_t>(tokens.size()));
      tokens.push_back(both);
    }
  }
  const std::string& text(std::int32_t id) const { return tokens[static_cast<std::size_t>(id)]; }

  /// The definition: the best-ranked pair, the leftmost of it, until there is none.
  Ids by_definition(std::string_view word) const {
    Ids ids;
    for (const char c : word) ids.push_back(static_cast<unsigned char>(c));
    while (true) {
      std::size_t best_at = 0, best_rank = merges.size();
      for (std::size_t i = 0; i + 1 < ids.size(); ++i)
        for (std::size_t rank = 0; rank < best_rank; ++rank)
          if (merges[rank].left == ids[i] && merges[rank].right == ids[i + 1]) {
            best_rank = rank;
            best_at = i;
          }
      if (best_rank == merges.size()) return ids;
      ids[best_at] = merges[best_rank].result;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
    }
  }
};

std::string random_word(Draw& draw, int letters, std::size_t size) {
  std::string word;
  while (word.size() < size)
    word.push_back(static_cast<char>('a' + draw.below(static_cast<std::uint64_t>(letters))));
  return word;
}

TEST(Bpe, ShortAndLongWordsMergeByDefinition) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const int letters = 1 + static_cast<int>(seed % 4);
    const RandomModel model(seed, letters, letters == 1 ? 5 : 40);
    const Bpe bpe(model.tokens, model.merges, model.options);
    Draw draw(100 + seed);
    for (int i = 0; i < 60; ++i) {
      const std::string word = random_word(draw, letters, 1 + draw.below(200));
      const Ids expected = model.by_definition(word);
      Ids merged, encoded, again;
      bpe.merge(word, merged);
      bpe.encode(word, encoded);
      bpe.encode(word, again);  // from the cache
      ASSERT_EQ(merged, expected) << word;
      ASSERT_EQ(encoded, expected) << word;
      ASSERT_EQ(again, expected) << word;
    }
  }
}

TEST(Bpe, TwoModelsDoNotShareCachedWords) {
  const RandomModel one(1, 3, 30), other(2, 3, 30);
  const Bpe first(one.tokens, one.merges, one.options);
  const Bpe second(other.tokens, other.merges, other.options);
  Draw draw(7);
  for (int i = 0; i < 500; ++i) {
    const std::string word = random_word(draw, 3, 1 + draw.below(12));
    Ids a, b;
    first.encode(word, a);
    second.encode(word, b);
    ASSERT_EQ(a, one.by_definition(word));
    ASSERT_EQ(b, other.by_definition(word));
  }
}

TEST(Bpe, ThreadsAgree) {
  const RandomModel model(3, 4, 60);
  const Bpe bpe(model.tokens, model.merges, model.options);
  std::vector<std::string> words;
  Draw draw(9);
  for (int i = 0; i < 400; ++i) words.push_back(random_word(draw, 4, 1 + draw.below(30)));
  const auto encode_all = [&] {
    Ids ids;
    for (const std::string& word : words) bpe.encode(word, ids);
    return ids;
  };
  const Ids expected = encode_all();
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) threads.emplace_back([&] { result = encode_all(); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

TEST(Bpe, AMegabyteInOneWordTakesNearlyLinearTime) {
  const RandomModel model(4, 1, 12);
  const Bpe bpe(model.tokens, model.merges, model.options);
  Ids ids;
  const double start = steady_clock().seconds();
  bpe.encode(std::string(1 << 20, 'a'), ids);
  EXPECT_LT(steady_clock().seconds() - start, 20);  // quadratic: hours
  std::size_t bytes = 0;
  for (const std::int32_t id : ids) bytes += model.text(id).size();
  EXPECT_EQ(bytes, 1u << 20);
}

TEST(Bpe, BytesWithoutTokens) {
  RandomModel model(5, 2, 3);
  model.options.byte_ids['x'] = -1;
  EXPECT_EQ(model.options.unknown, -1);
  Ids ids;
  Bpe(model.tokens, model.merges, model.options).encode("zxxz", ids);
  EXPECT_EQ(ids, (Ids{'z', 'z'}));  // dropped
  model.options.unknown = 0;
  ids.clear();
  Bpe(model.tokens, model.merges, model.options).encode("zxxz", ids);
  EXPECT_EQ(ids, (Ids{'z', 0, 0, 'z'}));
  model.options.fuse_unknown = true;
  ids.clear();
  Bpe(model.tokens, model.merges, model.options).encode("zxxzx", ids);
  EXPECT_EQ(ids, (Ids{'z', 0, 'z', 0}));
}

TEST(Bpe, WholeWordsFirstTakesTokensThatMergesDoNotReach) {
  RandomModel model(6, 2, 0);
  model.tokens.push_back("word");
  Ids by_merges, whole;
  Bpe(model.tokens, model.merges, model.options).encode("word", by_merges);
  EXPECT_EQ(by_merges, (Ids{'w', 'o', 'r', 'd'}));
  model.options.whole_words_first = true;
  Bpe(model.tokens, model.merges, model.options).encode("word", whole);
  EXPECT_EQ(whole, (Ids{256}));
}

TEST(MergeTable, TheLastRankOfAPairCounts) {
  const std::vector<Merge> merges = {{1, 2, 10}, {3, 4, 11}, {1, 2, 10}};
  const MergeTable table(merges);
  ASSERT_NE(table.find(1, 2), nullptr);
  EXPECT_EQ(table.find(1, 2)->rank, 2u);
  EXPECT_EQ(table.find(2, 1), nullptr);
}

TEST(WordTable, FindsWordsOfEveryLength) {
  WordTable table;
  Draw draw(8);
  std::vector<std::string> words;
  for (std::size_t size = 1; size < 60; ++size) words.push_back(draw.bytes(size));
  table.resize(words.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    table.insert(words[i], static_cast<std::int32_t>(i));
  for (std::size_t i = 0; i < words.size(); ++i) {
    EXPECT_EQ(table.find(words[i], hash_word(words[i])), static_cast<std::int32_t>(i));
    std::string changed = words[i];
    changed.back() = static_cast<char>(changed.back() ^ 1);
    if (changed.size() > 1) {
      EXPECT_EQ(table.find(changed, hash_word(changed)), -1);
    }
  }
}

}  // namespace
}  // namespace lathe::tokenize
