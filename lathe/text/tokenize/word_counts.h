// How often each word stands in a text: the first half of training.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/text/tokenize/splitter.h"
#include "lathe/text/tokenize/word_table.h"

namespace lathe::tokenize {

/// A growing table of words and counts. Not to be shared between threads.
class WordCounts {
 public:
  WordCounts() : slots_(1 << 12), mask_((1 << 12) - 1) {}

  void add(std::string_view word, std::int64_t count = 1);
  std::size_t size() const { return used_; }

  struct Entry {
    std::string_view word;
    std::int64_t count;
  };
  /// All words in byte order. The words live as long as the table and are moved by add().
  std::vector<Entry> sorted() const;

  void add_all(const WordCounts& other);

 private:
  struct Slot {
    std::uint64_t hash = 0, offset = 0;
    std::int64_t count = 0;  // 0: free
    std::uint64_t size = 0;
  };
  void grow();

  std::vector<Slot> slots_;
  std::string bytes_;
  std::size_t mask_, used_ = 0;
};

/// Counts the words of texts on all threads of the pool.
class ParallelWordCounter {
 public:
  explicit ParallelWordCounter(const Splitter& splitter);

  /// Throws what the splitter throws, for this text or an earlier one.
  void add(std::string_view text);

  /// The counts of all texts; call it once.
  WordCounts finish();

  std::int64_t bytes() const { return bytes_; }

 private:
  void count_batch();

  const Splitter& splitter_;
  std::string batch_;              // texts one after another
  std::vector<std::size_t> ends_;  // of each text in batch_
  std::vector<WordCounts> by_thread_;
  std::int64_t bytes_ = 0;
};

}  // namespace lathe::tokenize
