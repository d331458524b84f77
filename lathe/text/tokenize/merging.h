// Merging neighbouring pairs, best rank first, until none is left: the heart of BPE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

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

  /// Merges the ids from `begin` to the end. Of equal ranks the leftmost goes first. Time grows as
  /// n log n.
  void merge(std::vector<std::int32_t>& ids, std::size_t begin) const;

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 |
           static_cast<std::uint32_t>(right);
  }
  std::size_t home(std::uint64_t key) const {
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15u) >> shift_) & mask_;
  }
  void merge_short(std::vector<std::int32_t>& ids, std::size_t begin) const;
  void merge_long(std::vector<std::int32_t>& ids, std::size_t begin) const;

  std::vector<Slot> slots_;
  std::size_t mask_;
  int shift_;
};

}  // namespace lathe::tokenize
