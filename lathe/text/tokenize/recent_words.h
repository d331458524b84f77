// The words that a thread has encoded lately, so that each is merged once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lathe::tokenize {

/// One model's view of the calling thread's cache, which all models share: one slot for each value
/// of some bits of the hash, the newer word takes it.
class RecentWords {
 public:
  static constexpr std::size_t kLongest = 40;  // bytes of a word that is kept

  RecentWords();

  /// Appends the ids of the word where they are known. `hash` is hash_word(word).
  bool find(std::string_view word, std::uint64_t hash, std::vector<std::int32_t>& ids) const;

  /// Keeps the ids from `begin` to the end as those of the word, where they are few.
  void keep(std::string_view word, std::uint64_t hash, const std::vector<std::int32_t>& ids,
            std::size_t begin) const;

 private:
  std::uint32_t owner_;  // tells this model's words from others'
};

}  // namespace lathe::tokenize
