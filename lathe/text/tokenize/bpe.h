// Byte-pair encoding of one word: merge the best-ranked neighbouring pair until none is left.
// Source: Sennrich et al. 2016 (arXiv 1508.07909); on bytes, Radford et al. 2019.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/text/tokenize/merging.h"
#include "lathe/text/tokenize/recent_words.h"
#include "lathe/text/tokenize/word_table.h"

namespace lathe::tokenize {

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

  BpeOptions options_;
  MergeTable merges_;
  WordTable words_;
  RecentWords recent_;
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
