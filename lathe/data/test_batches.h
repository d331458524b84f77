// Batches for the tests of this folder: a small corpus, a source over it, rows to compare.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "lathe/data/batch_source.h"
#include "lathe/data/test_files.h"

namespace lathe::data {

/// Document i of source letter c: different lengths, every text different.
inline std::string corpus(char c, int n, int longest = 40) {
  std::string out;
  for (int i = 0; i < n; ++i)
    out += fmt::format("{{\"text\": \"{}{}{}\"}}\n", c, i, std::string((i * 7) % longest, c));
  return out;
}

struct Fixture {
  TestFolder folder;
  DataConfig config;
  BatchOptions options{.width = 16, .seed = 7, .cache_folder = folder / "cache"};

  explicit Fixture(bool prefetch = false) { config.prefetch = prefetch; }
  void add(const std::string& name, std::string_view bytes, double weight = 1) {
    config.train.push_back({.path = folder.write(name, bytes), .weight = weight});
  }
  std::unique_ptr<BatchSource> open(const Encoding& encoding = byte_encoding()) {
    return open_batches(config.train, config, encoding, options);
  }
};

/// All arrays of batches one after another.
struct Rows {
  std::vector<std::int32_t> tokens, targets, positions, starts;
  std::vector<float> weights;
  std::int64_t supervised = 0, padded = 0, bytes = 0, rows = 0;

  void add(const Batch& b) {
    ASSERT_EQ(b.tokens.size(), static_cast<std::size_t>(b.rows * b.width));
    const auto append = [](auto& to, const auto& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(tokens, b.tokens);
    append(targets, b.targets);
    append(positions, b.positions);
    append(starts, b.document_starts);
    append(weights, b.weights);
    ASSERT_EQ(b.targets.size(), b.tokens.size());
    ASSERT_EQ(b.positions.size(), b.tokens.size());
    ASSERT_EQ(b.document_starts.size(), b.tokens.size());
    ASSERT_EQ(b.weights.size(), b.tokens.size());
    supervised += b.supervised;
    padded += b.padded;
    bytes += b.bytes;
    rows += b.rows;
  }
  bool operator==(const Rows&) const = default;
};

inline Rows take(BatchSource& source, std::vector<std::int64_t> split) {
  Rows rows;
  for (const std::int64_t n : split) rows.add(source.next(n));
  return rows;
}

}  // namespace lathe::data
