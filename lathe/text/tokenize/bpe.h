// Byte-pair encoding of one word: merge the best-ranked neighbouring pair until none is left.
// Source: Sennrich et al. 2016 (arXiv 1508.07909); on bytes, Radford et al. 2019.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/text/tokenize/word_table.h"

namespace lathe::tokenize {

struct Merge {
  std::int32_t left, right, result;
};

/// Pair of ids -> rank and result, an open-addressed table.
class MergeTable {
 public:
  struct Slot {
    std::uint64_t key = kEmpty;
    std::uint32_t rank = 0;
    std::int32_t result = 0;
  };

  /// Ranks are places in the list; a pair that stands twice has its last rank.
  explicit MergeTable(std::span<const Merge> merges);

  /// Null where the pair does not merge.
  const Slot* find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = key_of(left, right);
    for (std::size_t i = home(key);; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.key == key) return &slot;
      if (slot.key == kEmpty) return nullptr;
    }
  }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 |
           static_cast<std::uint32_t>(right);
  }
  std::size_t home(std::uint64_t key) const {
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15u) >> shift_) & mask_;
  }

  std::vector<Slot> slots_;
  std::size_t mask_;
  int shift_;
};

/// What a model needs besides its merges.
struct BpeOptions {
  std::array<std::int32_t, 256> byte_ids;  // -1: the byte has no token
  std::int32_t unknown = -1;               // stands for a byte without token; -1: it is dropped
  bool fuse_unknown = false;               // one for a run of such bytes
  bool whole_words_first = false;          // a word that is a token needs no merges to be it
};

/// The merging itself. Immutable: every function may be called from any thread.
class Bpe {
 public:
  /// `tokens[id]` is the bytes of the token that words may become, empty for the others.
  Bpe(std::span<const std::string> tokens, std::span<const Merge> merges,
      const BpeOptions& options);

  /// Appends the ids of the word, from a table or a cache of the calling thread where possible.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

  /// As encode(), always by merging. Time grows as n log n with the bytes of the word.
  void merge(std::string_view word, std::vector<std::int32_t>& ids) const;

 private:
  void encode_rare(std::string_view word, std::uint64_t hash, std::vector<std::int32_t>& ids) const;
  void first_ids(std::string_view word, std::vector<std::int32_t>& ids) const;
  void merge_short(std::vector<std::int32_t>& ids, std::size_t begin) const;
  void merge_long(std::vector<std::int32_t>& ids, std::size_t begin) const;

  BpeOptions options_;
  MergeTable merges_;
  WordTable words_;
  std::uint32_t owner_;  // tells this one's words in a thread's cache
};

inline void Bpe::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  const std::uint64_t hash = hash_word(word);
  if (const std::int32_t id = words_.find(word, hash); id >= 0) {
    ids.push_back(id);
  } else {
    encode_rare(word, hash, ids);
  }
}

}  // namespace lathe::tokenize
