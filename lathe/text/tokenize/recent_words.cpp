#include "lathe/text/tokenize/recent_words.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include "lathe/text/tokenize/word_table.h"

namespace lathe::tokenize {
namespace {

constexpr std::size_t kSlots = 1 << 14, kMostIds = 12;

struct Entry {
  std::uint32_t owner = 0;  // 0: empty
  std::uint8_t size = 0, count = 0;
  char bytes[RecentWords::kLongest];
  std::int32_t ids[kMostIds];
};

Entry& slot(std::uint64_t hash) {
  thread_local const std::unique_ptr<Entry[]> entries = std::make_unique<Entry[]>(kSlots);
  return entries[hash >> 17 & (kSlots - 1)];
}

std::uint32_t next_owner() {
  static std::atomic<std::uint32_t> count{0};
  return ++count;
}

}  // namespace

RecentWords::RecentWords() : owner_(next_owner()) {}

bool RecentWords::find(std::string_view word, std::uint64_t hash,
                       std::vector<std::int32_t>& ids) const {
  if (word.size() > kLongest) return false;
  const Entry& entry = slot(hash);
  if (entry.owner != owner_ || entry.size != word.size() ||
      !same_bytes(entry.bytes, word.data(), word.size()))
    return false;
  ids.insert(ids.end(), entry.ids, entry.ids + entry.count);
  return true;
}

void RecentWords::keep(std::string_view word, std::uint64_t hash,
                       const std::vector<std::int32_t>& ids, std::size_t begin) const {
  const std::size_t count = ids.size() - begin;
  if (word.size() > kLongest || count > kMostIds) return;
  Entry& entry = slot(hash);
  entry.owner = owner_;
  entry.size = static_cast<std::uint8_t>(word.size());
  entry.count = static_cast<std::uint8_t>(count);
  std::copy(word.begin(), word.end(), entry.bytes);
  std::copy(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end(), entry.ids);
}

}  // namespace lathe::tokenize
