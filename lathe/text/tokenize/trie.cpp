#include "lathe/text/tokenize/trie.h"

#include <limits>

#include "lathe/base/error.h"

namespace lathe::tokenize {
namespace {

using Key = std::pair<std::string, std::int32_t>;

/// Keys [begin, end) share their first `depth` bytes, which lie on the way to `parent` (-1: none).
struct Work {
  std::size_t begin, end, depth;
  std::int64_t parent;
};

void sort_and_drop_doubles(std::vector<Key>& keys) {
  std::stable_sort(keys.begin(), keys.end(),
                   [](const Key& a, const Key& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].first.empty()) continue;
    if (i + 1 < keys.size() && keys[i + 1].first == keys[i].first) continue;
    if (kept != i) keys[kept] = std::move(keys[i]);
    ++kept;
  }
  keys.resize(kept);
}

}  // namespace

Trie::Trie(std::vector<Key> keys) {
  roots_.fill(-1);
  sort_and_drop_doubles(keys);
  std::size_t bytes = 0;
  for (const Key& key : keys) bytes += key.first.size();
  if (bytes > std::numeric_limits<std::int32_t>::max())
    fail(ErrorCode::kUnsupported, "vocabulary: expected less than 2 GiB of tokens, got {}", bytes);
  std::vector<Work> queue = {{0, keys.size(), 0, -1}};
  for (std::size_t next = 0; next < queue.size(); ++next) {
    const Work work = queue[next];
    const auto first_node = static_cast<std::uint32_t>(nodes_.size());
    for (std::size_t begin = work.begin; begin < work.end;) {
      const std::string& first = keys[begin].first;
      std::size_t end = begin + 1;
      while (end < work.end && keys[end].first[work.depth] == first[work.depth]) ++end;
      // Keys are sorted: what the first and the last share, all share.
      const std::string& last = keys[end - 1].first;
      std::size_t shared = work.depth + 1;
      while (shared < first.size() && shared < last.size() && first[shared] == last[shared])
        ++shared;
      const bool ends_here = first.size() == shared;
      const auto node = static_cast<std::int64_t>(nodes_.size());
      nodes_.push_back({static_cast<std::uint32_t>(labels_.size()),
                        static_cast<std::uint32_t>(shared - work.depth), 0, 0,
                        ends_here ? keys[begin].second : -1});
      labels_.append(first, work.depth, shared - work.depth);
      first_bytes_.push_back(first[work.depth]);
      const std::size_t rest = begin + (ends_here ? 1 : 0);
      if (rest < end) queue.push_back({rest, end, shared, node});
      begin = end;
    }
    if (work.parent < 0) {
      for (std::size_t i = 0; i < nodes_.size(); ++i)
        roots_[static_cast<unsigned char>(first_bytes_[i])] = static_cast<std::int32_t>(i);
    } else {
      Node& parent = nodes_[static_cast<std::size_t>(work.parent)];
      parent.first_child = first_node;
      parent.children = static_cast<std::uint32_t>(nodes_.size()) - first_node;
    }
  }
}

}  // namespace lathe::tokenize
