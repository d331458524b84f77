#include "lathe/text/tokenize/merging.h"

#include <algorithm>
#include <bit>
#include <queue>

namespace lathe::tokenize {
namespace {

constexpr std::uint32_t kNoRank = ~std::uint32_t{0};
constexpr std::size_t kShort = 64;  // symbols; above, a heap beats looking at all pairs

}  // namespace

MergeTable::MergeTable(std::span<const Merge> merges) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(16, merges.size() * 2));
  slots_.resize(size);
  mask_ = size - 1;
  shift_ = 64 - std::countr_zero(size);
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::uint64_t key = key_of(merges[rank].left, merges[rank].right);
    std::size_t i = home(key);
    while (slots_[i].key != kEmpty && slots_[i].key != key) i = (i + 1) & mask_;
    slots_[i] = {key, static_cast<std::uint32_t>(rank), merges[rank].result};
  }
}

void MergeTable::merge(std::vector<std::int32_t>& ids, std::size_t begin) const {
  if (ids.size() - begin <= kShort) {
    merge_short(ids, begin);
  } else {
    merge_long(ids, begin);
  }
}

void MergeTable::merge_short(std::vector<std::int32_t>& ids, std::size_t begin) const {
  std::size_t n = ids.size() - begin;
  std::int32_t* symbols = ids.data() + begin;
  std::uint32_t ranks[kShort];
  std::int32_t results[kShort];
  const auto look_up = [&](std::size_t i) {
    const Slot* slot = find(symbols[i], symbols[i + 1]);
    ranks[i] = slot ? slot->rank : kNoRank;
    results[i] = slot ? slot->result : 0;
  };
  for (std::size_t i = 0; i + 1 < n; ++i) look_up(i);
  while (n > 1) {
    const std::uint32_t* best = std::min_element(ranks, ranks + n - 1);
    if (*best == kNoRank) break;
    const auto i = static_cast<std::size_t>(best - ranks);
    symbols[i] = results[i];
    std::copy(symbols + i + 2, symbols + n, symbols + i + 1);
    std::copy(ranks + i + 1, ranks + n - 1, ranks + i);
    std::copy(results + i + 1, results + n - 1, results + i);
    --n;
    if (i > 0) look_up(i - 1);
    if (i + 1 < n) look_up(i);
  }
  ids.resize(begin + n);
}

void MergeTable::merge_long(std::vector<std::int32_t>& ids, std::size_t begin) const {
  const std::size_t n = ids.size() - begin;
  std::int32_t* symbols = ids.data() + begin;
  constexpr std::size_t kNone = ~std::size_t{0};
  std::vector<std::size_t> previous(n), next(n);
  struct Candidate {
    std::uint32_t rank;
    std::size_t at;
    std::int32_t left, right;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](std::size_t at) {
    if (at == kNone || next[at] == kNone) return;
    const std::int32_t left = symbols[at], right = symbols[next[at]];
    if (const Slot* slot = find(left, right)) queue.push({slot->rank, at, left, right});
  };
  for (std::size_t i = 0; i < n; ++i) {
    previous[i] = i == 0 ? kNone : i - 1;
    next[i] = i + 1 == n ? kNone : i + 1;
  }
  for (std::size_t i = 0; i < n; ++i) offer(i);
  constexpr std::int32_t kGone = -1;
  while (!queue.empty()) {
    const Candidate c = queue.top();
    queue.pop();
    const std::size_t right = next[c.at];
    if (symbols[c.at] != c.left || right == kNone || symbols[right] != c.right) continue;  // stale
    symbols[c.at] = find(c.left, c.right)->result;
    symbols[right] = kGone;
    next[c.at] = next[right];
    if (next[right] != kNone) previous[next[right]] = c.at;
    next[right] = kNone;
    offer(previous[c.at]);
    offer(c.at);
  }
  ids.erase(std::remove(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end(), kGone),
            ids.end());
}

}  // namespace lathe::tokenize
