// All keys that are prefixes of a text, in one walk.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lathe::tokenize {

/// A radix tree over byte strings. Immutable after building.
class Trie {
 public:
  Trie() { roots_.fill(-1); }

  /// Of equal keys the last one counts; empty keys are left out.
  explicit Trie(std::vector<std::pair<std::string, std::int32_t>> keys);

  /// Calls use(bytes, value) for each key that `text` starts with, short ones first.
  template <typename Use>
  void prefixes(std::string_view text, const Use& use) const {
    std::size_t at = 0;
    if (text.empty()) return;
    std::int32_t next = roots_[static_cast<unsigned char>(text[0])];
    while (next >= 0) {
      const Node& node = nodes_[static_cast<std::size_t>(next)];
      if (text.size() - at < node.label_size ||
          std::memcmp(text.data() + at, labels_.data() + node.label, node.label_size) != 0)
        return;
      at += node.label_size;
      if (node.value >= 0) use(at, node.value);
      if (at == text.size()) return;
      next = child(node, text[at]);
    }
  }

  struct Found {
    std::size_t size = 0;  // 0: nothing
    std::int32_t value = -1;
  };
  Found longest(std::string_view text) const {
    Found found;
    prefixes(text, [&](std::size_t size, std::int32_t value) { found = {size, value}; });
    return found;
  }

 private:
  struct Node {
    std::uint32_t label = 0, label_size = 0;  // in labels_
    std::uint32_t first_child = 0, children = 0;
    std::int32_t value = -1;
  };
  std::int32_t child(const Node& node, char byte) const {
    const char* first = first_bytes_.data() + node.first_child;
    const void* hit = std::memchr(first, byte, node.children);
    if (hit == nullptr) return -1;
    return static_cast<std::int32_t>(node.first_child) +
           static_cast<std::int32_t>(static_cast<const char*>(hit) - first);
  }

  std::vector<Node> nodes_;  // siblings stand together
  std::string first_bytes_;  // of each node's label
  std::string labels_;
  std::array<std::int32_t, 256> roots_;
};

}  // namespace lathe::tokenize
