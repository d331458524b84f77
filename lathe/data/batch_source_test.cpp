#include "lathe/data/batch_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>

#include "lathe/data/survey.h"
#include "lathe/data/test_batches.h"

namespace lathe::data {
namespace {

/// The documents that rows were made of: their segments, joined where one ends without eos.
std::vector<std::string> documents(const Rows& r, std::int64_t width) {
  std::vector<std::string> found;
  std::string open;
  for (std::size_t at = 0; at < r.tokens.size(); ++at) {
    if (r.targets[at] < 0) continue;
    if (open.empty()) open += static_cast<char>(r.tokens[at]);
    EXPECT_EQ(static_cast<unsigned char>(open.back()), r.tokens[at]);
    if (r.targets[at] == 256) {
      found.push_back(std::exchange(open, {}));
    } else {
      open += static_cast<char>(r.targets[at]);
    }
    const auto place = static_cast<std::int64_t>(at) % width;
    EXPECT_EQ(r.positions[at], place - r.starts[at]);
  }
  return found;
}

TEST(Packing, SmallCaseByHand) {
  Fixture f;
  f.add("a.txt", "abcd\nef\ng\n");
  f.config.train[0].split = "line";
  f.options = {.width = 4, .sequential = true, .cache_folder = f.folder / "cache"};
  auto source = f.open();
  const Batch b = source->next(9);
  EXPECT_EQ(b.rows, 2);
  // abcd<eos>: a->b b->c c->d d->eos | ef<eos>: e->f f->eos, g<eos>: g->eos, one padded place
  EXPECT_EQ(b.tokens, (std::vector<std::int32_t>{'a', 'b', 'c', 'd', 'e', 'f', 'g', 0}));
  EXPECT_EQ(b.targets, (std::vector<std::int32_t>{'b', 'c', 'd', 256, 'f', 256, 256, -1}));
  EXPECT_EQ(b.positions, (std::vector<std::int32_t>{0, 1, 2, 3, 0, 1, 0, 0}));
  EXPECT_EQ(b.document_starts, (std::vector<std::int32_t>{0, 0, 0, 0, 0, 0, 2, 3}));
  EXPECT_EQ(b.weights, (std::vector<float>{1, 1, 1, 1, 1, 1, 1, 0}));
  EXPECT_EQ(b.supervised, 7);
  EXPECT_EQ(b.padded, 1);
  EXPECT_EQ(b.bytes, 4);  // b c d f; the eos stand for none
  EXPECT_TRUE(source->next(1).empty());
  EXPECT_TRUE(source->next(1).empty());
  source->rewind();
  EXPECT_EQ(source->next(9).tokens, b.tokens);
}

TEST(Packing, DocumentGoesOnInTheNextRow) {
  Fixture f;
  f.add("a.txt", "abcdefg");
  f.options = {.width = 3, .sequential = true, .cache_folder = f.folder / "cache"};
  const Batch b = f.open()->next(9);
  EXPECT_EQ(b.tokens, (std::vector<std::int32_t>{'a', 'b', 'c', 'd', 'e', 'f', 'g', 0, 0}));
  EXPECT_EQ(b.targets, (std::vector<std::int32_t>{'b', 'c', 'd', 'e', 'f', 'g', 256, -1, -1}));
  EXPECT_EQ(b.positions, (std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 0, 0, 1}));
  EXPECT_EQ(b.document_starts, (std::vector<std::int32_t>{0, 0, 0, 0, 0, 0, 0, 1, 1}));
}

TEST(Packing, EosAndBosAreOptions) {
  Fixture f;
  f.add("a.txt", "abc");
  f.options = {.width = 8, .sequential = true, .cache_folder = f.folder / "cache"};
  const Batch bare = f.open(byte_encoding(false))->next(1);
  EXPECT_EQ(bare.supervised, 2);
  EXPECT_EQ(bare.bytes, 2);
  const Batch both = f.open(byte_encoding(true, true))->next(1);
  EXPECT_EQ(both.tokens, (std::vector<std::int32_t>{257, 'a', 'b', 'c', 0, 0, 0, 0}));
  EXPECT_EQ(both.targets, (std::vector<std::int32_t>{'a', 'b', 'c', 256, -1, -1, -1, -1}));
  EXPECT_EQ(both.bytes, 3);
}

TEST(Packing, EveryIdIsATargetOnceButTheFirstOfEachDocument) {
  Fixture f;
  f.add("a.jsonl", corpus('a', 200));
  auto source = f.open();
  std::multiset<std::string> expected;
  std::int64_t targets = 0;
  for_each_document({f.config.train[0].path}, {}, [&](std::string_view text) {
    expected.emplace(text);
    targets += static_cast<std::int64_t>(text.size());  // all but the first, and eos
  });
  f.options.sequential = true;
  const Rows rows = take(*f.open(), {1000});
  EXPECT_EQ(rows.supervised, targets);
  const auto found = documents(rows, 16);
  EXPECT_EQ(std::multiset<std::string>(found.begin(), found.end()), expected);
  EXPECT_EQ(rows.rows, (targets + 15) / 16);
  EXPECT_EQ(rows.bytes, targets - 200);
}

/// Whatever a place may attend to (its segment so far) is of its own document, and next to it
/// there.
TEST(Packing, ASegmentHoldsOneDocumentWithoutGaps) {
  Fixture f;
  f.add("a.jsonl", corpus('a', 90, 25));
  f.add("b.jsonl", corpus('b', 90, 60));
  const Rows r = take(*f.open(), {200});
  int segments = 0;
  for (std::size_t at = 0; at < r.tokens.size(); ++at) {
    const auto place = static_cast<std::int32_t>(at % 16);
    const std::int32_t start = r.starts[at];
    ASSERT_TRUE(start >= 0 && start <= place);
    ASSERT_EQ(r.positions[at], place - start);
    ASSERT_NE(r.tokens[at], 256);  // eos is never an input, so no segment reaches over one
    if (start == place) {
      ++segments;
      continue;
    }
    ASSERT_EQ(r.starts[at - 1], start);
    ASSERT_EQ(r.targets[at - 1], r.tokens[at]);
  }
  EXPECT_GT(segments, 200);
}

TEST(Packing, TheSplitIntoBatchesChangesNothing) {
  for (const bool prefetch : {false, true}) {
    Fixture f(prefetch);
    f.add("a.jsonl", corpus('a', 50));
    f.add("b.txt", std::string(500, 'b'), 2);
    const Rows whole = take(*f.open(), {24});
    EXPECT_EQ(take(*f.open(), {8, 8, 8}), whole);
    EXPECT_EQ(take(*f.open(), {1, 2, 3, 4, 5, 9}), whole);
    EXPECT_EQ(take(*f.open(), std::vector<std::int64_t>(24, 1)), whole);
    EXPECT_EQ(whole.supervised, 24 * 16);  // training rows are full
    EXPECT_EQ(whole.padded, 0);
  }
}

TEST(Resume, EqualsTheUninterruptedRunAtEveryRow) {
  for (const bool prefetch : {false, true}) {
    Fixture f(prefetch);
    f.add("a.jsonl", corpus('a', 30));
    f.add("b.jsonl.gz", gzip(corpus('b', 10, 100)), 0.5);
    auto whole = f.open();
    std::vector<std::string> places;
    std::vector<Rows> rows;
    for (int i = 0; i < 120; ++i) {
      places.push_back(whole->position().to_json());
      rows.push_back(take(*whole, {1}));
    }
    const std::string end = whole->position().to_json();
    EXPECT_GT(whole->use()[0].epochs, 1.5);
    auto resumed = f.open();
    for (int i = 119; i >= 0; i -= prefetch ? 7 : 1) {
      resumed->seek(Position::from_json(places[static_cast<std::size_t>(i)]));
      for (int k = i; k < 120; ++k) {
        ASSERT_EQ(resumed->position().to_json(), places[static_cast<std::size_t>(k)]);
        ASSERT_EQ(take(*resumed, {1}), rows[static_cast<std::size_t>(k)]) << i << " " << k;
      }
      EXPECT_EQ(resumed->position().to_json(), end);
    }
  }
}

TEST(Resume, ReadsAtMostOneDocument) {
  Fixture f;
  f.add("a.jsonl", corpus('a', 400));
  f.config.token_cache = false;
  std::int64_t encoded = 0;
  Encoding counting = byte_encoding();
  counting.encode = [&, plain = counting.encode](std::string_view t,
                                                 std::vector<std::int32_t>& ids) {
    ++encoded;
    plain(t, ids);
  };
  auto source = f.open(counting);
  source->next(500);
  const Position place = source->position();
  ASSERT_GT(place.offset, 0);
  encoded = 0;
  auto resumed = f.open(counting);
  resumed->seek(place);
  EXPECT_LE(encoded, 1);
}

TEST(Resume, RefusesOtherDataSeedAndTokenizer) {
  Fixture f;
  f.add("a.jsonl", corpus('a', 30));
  const std::string place = [&] {
    auto source = f.open();
    source->next(3);
    return source->position().to_json();
  }();
  const auto refusal = [&](const Encoding& encoding = byte_encoding()) {
    return error_of([&] { f.open(encoding)->seek(Position::from_json(place)); });
  };
  EXPECT_EQ(refusal(), "");
  EXPECT_NE(refusal(byte_encoding(false)).find("tokenizer"), std::string::npos);
  f.options.seed = 8;
  EXPECT_NE(refusal().find("seed"), std::string::npos);
  f.options.seed = 7;
  f.folder.write("a.jsonl", corpus('a', 31));
  EXPECT_NE(refusal().find("fingerprint"), std::string::npos);
  f.folder.write("a.jsonl", corpus('a', 30));
  EXPECT_EQ(refusal(), "");  // written again with the same texts: welcome
  f.add("b.jsonl", corpus('b', 3));
  EXPECT_NE(refusal().find("sources"), std::string::npos);
}

TEST(Resume, RefusesPositionsThatMakeNoSense) {
  Fixture f;
  f.add("a.jsonl", corpus('a', 30));
  auto source = f.open();
  source->next(2);
  Position p = source->position();
  p.offset = 1000;
  EXPECT_NE(error_of([&] { source->seek(p); }).find("offset"), std::string::npos);
  const std::string good = source->position().to_json();
  const std::vector<std::string> wrong = {"",
                                          "[]",
                                          "{}",
                                          good.substr(0, good.size() / 2),
                                          "{\"version\": 2}",
                                          "{\"offset\": -1}",
                                          "{\"unknown\": 1}",
                                          good + "x"};
  for (const std::string& bad : wrong)
    EXPECT_NE(error_of([&] { Position::from_json(bad); }), "") << bad;
}

TEST(Sequential, CapEndsTheData) {
  Fixture f;
  f.add("a.jsonl", corpus('a', 100));
  f.add("b.jsonl", corpus('b', 100));
  f.options.sequential = true;
  const Rows whole = take(*f.open(), {1000});
  f.options.max_tokens = 10 * 16 + 3;
  auto capped = f.open();
  const Rows some = take(*capped, {7, 7, 7});
  EXPECT_EQ(some.rows, 10);
  EXPECT_TRUE(std::equal(some.tokens.begin(), some.tokens.end(), whole.tokens.begin()));
  EXPECT_EQ(documents(whole, 16).size(), 200U);
}

TEST(Prefetch, ErrorsArriveInTheirTurn) {
  Fixture f(true);
  f.add("a.jsonl", corpus('a', 50));
  std::atomic<int> calls = 0;
  Encoding failing = byte_encoding();
  failing.encode = [&, plain = failing.encode](std::string_view t, std::vector<std::int32_t>& ids) {
    if (++calls == 20) fail(ErrorCode::kIo, "the disk is gone");
    plain(t, ids);
  };
  auto source = f.open(failing);
  EXPECT_EQ(source->next(2).rows, 2);  // made before the error
  EXPECT_EQ(error_of([&] { source->next(1000); }), "the disk is gone");
  EXPECT_EQ(error_of([&] { source->next(1); }), "the disk is gone");
  source->rewind();
  EXPECT_EQ(source->next(2).rows, 2);
}

TEST(Prefetch, EndsCleanlyAtAnyMoment) {
  Fixture f(true);
  f.add("a.jsonl", corpus('a', 200));
  for (int i = 0; i < 30; ++i) {
    auto source = f.open();
    if (i % 3 != 0) source->next(i);
    if (i % 5 == 0) source->rewind();
  }
}

TEST(SurveyOfData, CountsExactlyOrByProjection) {
  Fixture f;
  f.config.policy = "skip";
  f.add("a.jsonl", corpus('a', 500) + "{}\n");
  f.options.sequential = true;
  auto source = f.open();
  source->next(3);
  const std::string place = source->position().to_json();
  const Survey exact = survey(*source, 1 << 30);
  EXPECT_TRUE(exact.exact);
  EXPECT_EQ(exact.documents, 500);
  EXPECT_EQ(exact.skipped, 1);
  EXPECT_EQ(exact.tokens, exact.text_bytes + 500);
  EXPECT_EQ(exact.supervised, exact.text_bytes);
  EXPECT_EQ(source->position().to_json(), place);
  EXPECT_EQ(take(*f.open(), {9999}).supervised, exact.supervised);
  EXPECT_EQ(take(*f.open(), {9999}).padded, exact.padded);
  f.options.sequential = false;
  const Survey guess = survey(*f.open(), 2000);
  EXPECT_FALSE(guess.exact);
  EXPECT_NEAR(static_cast<double>(guess.tokens), static_cast<double>(exact.tokens),
              0.2 * static_cast<double>(exact.tokens));
  EXPECT_EQ(guess.padded, 0);
}

}  // namespace
}  // namespace lathe::data
