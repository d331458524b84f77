#include "lathe/data/token_cache.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "lathe/data/batch_source.h"
#include "lathe/data/test_files.h"

namespace lathe::data {
namespace {

using Ids = std::vector<std::int32_t>;

Ids ids_of(std::uint64_t i, std::int32_t vocab) {
  Ids ids(i * 31 % 50);
  for (std::size_t k = 0; k < ids.size(); ++k)
    ids[k] = static_cast<std::int32_t>((i * 7919 + k * 104729) % static_cast<std::uint64_t>(vocab));
  return ids;
}

Ids get(TokenCache& cache, std::uint64_t i) {
  Ids ids;
  return cache.get(i, ids) ? ids : Ids{-1};
}

TEST(TokenCache, KeepsWhatWasPutAcrossOpenings) {
  for (const std::int32_t vocab : {300, 65536, 65537, 2000000000}) {
    const TestFolder folder;
    for (int round = 0; round < 3; ++round) {
      auto cache = TokenCache::open(folder / "t", 1000, vocab);
      ASSERT_NE(cache, nullptr);
      for (std::uint64_t i = 0; i < 1000; ++i) {
        const int turn = static_cast<int>(i % 3);  // the round in which i is put
        EXPECT_EQ(get(*cache, i), turn < round ? ids_of(i, vocab) : Ids{-1});
        if (turn != round) continue;
        cache->put(i, ids_of(i, vocab));
        EXPECT_EQ(get(*cache, i), ids_of(i, vocab));
      }
    }
    // Two bytes an id where they suffice.
    std::uintmax_t ids = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) ids += i * 31 % 50;
    EXPECT_EQ(std::filesystem::file_size(folder / "t/ids"), ids * (vocab <= 65536 ? 2 : 4));
  }
}

TEST(TokenCache, WhatIsDamagedIsNotSeen) {
  const TestFolder folder;
  const auto fill = [&] {
    auto cache = TokenCache::open(folder / "t", 100, 300);
    for (std::uint64_t i = 0; i < 100; ++i)
      if (get(*cache, i) == Ids{-1}) cache->put(i, ids_of(i, 300));
  };
  const auto check = [&](const char* what) {
    int missing = 0;
    {
      auto cache = TokenCache::open(folder / "t", 100, 300);
      for (std::uint64_t i = 0; i < 100; ++i) {
        const Ids found = get(*cache, i);
        if (found == Ids{-1}) {
          ++missing;
        } else {
          EXPECT_EQ(found, ids_of(i, 300)) << what << i;
        }
      }
    }
    EXPECT_GT(missing, 0) << what;
    fill();
    auto cache = TokenCache::open(folder / "t", 100, 300);
    for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(get(*cache, i), ids_of(i, 300)) << what;
  };
  fill();
  // A power cut: the table is there, the end of the ids is not, or is zeros.
  std::filesystem::resize_file(folder / "t/ids", 1501);
  check("ids cut");
  const auto size = std::filesystem::file_size(folder / "t/ids");
  std::filesystem::resize_file(folder / "t/ids", size / 2);
  std::filesystem::resize_file(folder / "t/ids", size);
  check("ids zero");
  std::filesystem::resize_file(folder / "t/table", 333);
  check("table cut");
  std::string table = real_files().read_all(folder / "t/table");
  for (std::size_t i = 0; i < table.size(); i += 17) table[i] ^= 0x41;
  folder.write("t/table", table);
  check("table wrong");
}

TEST(TokenCache, OneWritesAndOthersReadAlong) {
  const TestFolder folder;
  auto first = TokenCache::open(folder / "t", 10, 300);
  auto second = TokenCache::open(folder / "t", 10, 300);
  ASSERT_NE(second, nullptr);
  second->put(1, Ids{1});
  EXPECT_EQ(get(*second, 1), Ids{-1});
  first->put(2, Ids{5, 6});
  EXPECT_EQ(get(*second, 2), (Ids{5, 6}));
}

TEST(TokenCache, FullDiskEndsCachingOnly) {
  const TestFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    auto cache = TokenCache::open(folder / "t", 100, 300);
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{2000, 2000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    bool sound = cache != nullptr;
    int there = 0;
    for (std::uint64_t i = 0; i < 100; ++i) cache->put(i, ids_of(i, 300));
    for (std::uint64_t i = 0; i < 100; ++i) {
      const Ids found = get(*cache, i);
      sound = sound && (found == Ids{-1} || found == ids_of(i, 300));
      there += found != Ids{-1};
    }
    ::_exit(sound && there > 10 && there < 100 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

/// The batches are the same with, without and with half a cache; a cached document is not encoded.
TEST(TokenCache, ChangesNothingButTheWork) {
  const TestFolder folder;
  std::string text;
  for (int i = 0; i < 80; ++i)
    text += fmt::format("{{\"text\": \"{}\"}}\n", std::string(i % 30 + 1, 'a' + i % 26));
  std::int64_t encoded = 0;
  Encoding encoding = byte_encoding();
  encoding.encode = [&](std::string_view t, Ids& ids) {
    ++encoded;
    for (const char c : t) ids.push_back(c);
  };
  DataConfig config{.train = {{.path = folder.write("a.jsonl", text)}}, .prefetch = false};
  const auto tokens = [&](bool cache, int rows) {
    config.token_cache = cache;
    return open_batches(config.train, config, encoding, {.width = 8, .cache_folder = folder / "c"})
        ->next(rows)
        .tokens;
  };
  const Ids plain = tokens(false, 400);  // more than one epoch
  encoded = 0;
  const Ids half = tokens(true, 60);
  const std::int64_t first = encoded;
  EXPECT_EQ(half, Ids(plain.begin(), plain.begin() + 60 * 8));
  EXPECT_EQ(tokens(true, 400), plain);
  EXPECT_EQ(encoded, 80);  // each document once, over both runs and all epochs
  EXPECT_LT(first, 80);
  EXPECT_EQ(tokens(true, 400), plain);
  EXPECT_EQ(encoded, 80);
  encoding.key = "another tokenizer";
  tokens(true, 400);
  EXPECT_EQ(encoded, 160);
}

}  // namespace
}  // namespace lathe::data
