#include "lathe/text/tokenize/pair_merger.h"

#include <algorithm>

#include "lathe/base/error.h"

namespace lathe::tokenize {

PairMerger::PairMerger(const std::vector<WordCounts::Entry>& words,
                       const std::array<std::int32_t, 256>& byte_ids)
    : pairs_(1 << 16), mask_((1 << 16) - 1) {
  std::size_t total = 0;
  for (const WordCounts::Entry& entry : words) total += entry.word.size();
  if (total >= kNone)
    fail(ErrorCode::kUnsupported,
         "training: expected fewer than {} bytes of distinct words, got {}", kNone, total);
  symbols_.reserve(total);
  word_counts_.reserve(words.size());
  for (const WordCounts::Entry& entry : words) {
    const auto word = static_cast<std::uint32_t>(word_counts_.size());
    word_counts_.push_back(entry.count);
    for (std::size_t i = 0; i < entry.word.size(); ++i) {
      const auto at = static_cast<Position>(symbols_.size());
      symbols_.push_back({byte_ids[static_cast<unsigned char>(entry.word[i])],
                          i == 0 ? kNone : at - 1, i + 1 == entry.word.size() ? kNone : at + 1,
                          word});
      if (i > 0) change(symbols_[at - 1].id, symbols_[at].id, at - 1, entry.count);
    }
  }
  queue_fresh();
}

PairMerger::Pair& PairMerger::pair(std::uint64_t key) {
  const std::uint64_t hash = (key * 0x9E3779B97F4A7C15u) >> 20;
  for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
    if (pairs_[i].key == key) return pairs_[i];
    if (pairs_[i].key != kFree) continue;
    if ((used_ + 1) * 2 > pairs_.size()) {
      grow();
      return pair(key);
    }
    ++used_;
    pairs_[i].key = key;
    return pairs_[i];
  }
}

void PairMerger::grow() {
  std::vector<Pair> old(pairs_.size() * 2);
  old.swap(pairs_);
  mask_ = pairs_.size() - 1;
  used_ = 0;
  for (const Pair& entry : old)
    if (entry.key != kFree) pair(entry.key) = entry;
}

/// The pair stands `by` times more; more than zero: now also at this place.
void PairMerger::change(std::int32_t left, std::int32_t right, Position at, std::int64_t by) {
  const std::uint64_t key = key_of(left, right);
  Pair& entry = pair(key);
  entry.count += by;
  if (by <= 0) return;
  if (entry.fresh < 0) {
    entry.fresh = static_cast<std::int32_t>(fresh_.size());
    fresh_.push_back({key, {}});
  }
  fresh_[static_cast<std::size_t>(entry.fresh)].places.push_back(at);
}

void PairMerger::queue_fresh() {
  for (Fresh& fresh : fresh_) {
    Pair& entry = pair(fresh.key);
    entry.fresh = -1;
    if (entry.count > 0) push({entry.count, fresh.key, queued_++, std::move(fresh.places)});
  }
  fresh_.clear();
}

void PairMerger::push(Candidate candidate) {
  heap_.push_back(std::move(candidate));
  std::push_heap(heap_.begin(), heap_.end());
}

PairMerger::Candidate PairMerger::pop() {
  std::pop_heap(heap_.begin(), heap_.end());
  Candidate top = std::move(heap_.back());
  heap_.pop_back();
  return top;
}

std::optional<PairMerger::Best> PairMerger::next() {
  while (!heap_.empty()) {
    best_ = pop();
    const std::int64_t count = std::max<std::int64_t>(0, pair(best_.pair).count);
    if (count == best_.count) {
      if (count == 0) return std::nullopt;
      return Best{static_cast<std::int32_t>(best_.pair >> 32),
                  static_cast<std::int32_t>(best_.pair & 0xFFFFFFFFu), count};
    }
    best_.count = count;
    push(std::move(best_));
  }
  return std::nullopt;
}

void PairMerger::merge(std::int32_t token) {
  const auto left = static_cast<std::int32_t>(best_.pair >> 32);
  const auto right = static_cast<std::int32_t>(best_.pair & 0xFFFFFFFFu);
  // From left to right in each word: "aaa" is (aa)a.
  std::sort(best_.places.begin(), best_.places.end());
  for (const Position at : best_.places) {
    Symbol& first = symbols_[at];
    if (first.id != left || first.next == kNone || symbols_[first.next].id != right) continue;
    Symbol& second = symbols_[first.next];
    const std::int64_t count = word_counts_[first.word];
    if (first.previous != kNone) {
      const std::int32_t before = symbols_[first.previous].id;
      change(before, left, kNone, -count);
      change(before, token, first.previous, count);
    }
    if (second.next != kNone) {
      const std::int32_t behind = symbols_[second.next].id;
      change(right, behind, kNone, -count);
      change(token, behind, at, count);
      symbols_[second.next].previous = at;
    }
    first.id = token;
    first.next = second.next;
    second.id = -1;
  }
  best_.places = {};
  queue_fresh();
}

}  // namespace lathe::tokenize
