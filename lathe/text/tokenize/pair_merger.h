// Which pair to merge next: the second half of training.
//
// Words are linked lists of symbols in one array. A queue holds pairs with the places where they
// stood when they were put there; its counts may be out of date and are put right when a pair comes
// to the front. This follows Hugging Face's BpeTrainer to the letter where that decides the result:
// the count of a pair is not reset by its own merge, and a pair that forms anew because a merge
// made a token that existed already is queued once more.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include "lathe/text/tokenize/bpe.h"
#include "lathe/text/tokenize/word_counts.h"

namespace lathe::tokenize {

class PairMerger {
 public:
  /// `byte_ids`: the token of each byte.
  PairMerger(const std::vector<WordCounts::Entry>& words,
             const std::array<std::int32_t, 256>& byte_ids);

  struct Best {
    std::int32_t left, right;
    std::int64_t count;
  };

  /// The most frequent pair, among equals that of smaller ids. Nothing when no pair is left that
  /// occurs.
  std::optional<Best> next();

  /// Merges the pair that next() returned last into `token`, wherever the queue knows it.
  void merge(std::int32_t token);

 private:
  using Position = std::uint32_t;
  static constexpr Position kNone = ~Position{0};

  struct Symbol {
    std::int32_t id;  // -1: swallowed by the symbol before it
    Position previous, next;
    std::uint32_t word;
  };
  struct Candidate {
    std::int64_t count;
    std::uint64_t pair;
    std::uint64_t order;  // of queueing
    std::vector<Position> places;
    bool operator<(const Candidate& other) const {
      if (count != other.count) return count < other.count;
      if (pair != other.pair) return pair > other.pair;
      return order > other.order;
    }
  };
  struct Pair {
    std::uint64_t key = kFree;
    std::int64_t count = 0;
    std::int32_t fresh = -1;  // index in fresh_
  };
  struct Fresh {
    std::uint64_t key;
    std::vector<Position> places;
  };
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};

  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 |
           static_cast<std::uint32_t>(right);
  }
  Pair& pair(std::uint64_t key);
  void grow();
  void change(std::int32_t left, std::int32_t right, Position at, std::int64_t by);
  void queue_fresh();
  void push(Candidate candidate);
  Candidate pop();

  std::vector<std::int64_t> word_counts_;
  std::vector<Symbol> symbols_;
  std::vector<Pair> pairs_;  // open addressing
  std::size_t used_ = 0, mask_;
  std::vector<Fresh> fresh_;  // pairs with new places since the last merge
  std::vector<Candidate> heap_;
  Candidate best_;
  std::uint64_t queued_ = 0;
};

}  // namespace lathe::tokenize
