#include "lathe/text/tokenize/added_tokens.h"

#include <algorithm>
#include <cstring>

#include "lathe/text/tokenize/char_sets.h"

namespace lathe::tokenize {
namespace {

std::size_t spaces_before(std::string_view text, std::size_t end, std::size_t limit) {
  while (end > limit) {
    std::size_t begin = end - 1;
    while (begin > limit && (text[begin] & 0xC0) == 0x80) --begin;
    const std::size_t size = valid_char_size(text.substr(begin, end - begin));
    if (size != end - begin || !(kWhite.has(decode_valid(text.data() + begin).code))) break;
    end = begin;
  }
  return end;
}

std::size_t spaces_behind(std::string_view text, std::size_t begin) {
  while (begin < text.size()) {
    const std::size_t size = valid_char_size(text.substr(begin));
    if (size == 0 || !(kWhite.has(decode_valid(text.data() + begin).code))) break;
    begin += size;
  }
  return begin;
}

/// Whether the character before `at` belongs to a word.
bool word_ends_at(std::string_view text, std::size_t at) {
  if (at == 0) return false;
  std::size_t begin = at - 1;
  while (begin > 0 && at - begin < 4 && (text[begin] & 0xC0) == 0x80) --begin;
  return valid_char_size(text.substr(begin, at - begin)) == at - begin &&
         kWordNeighbours.has(decode_valid(text.data() + begin).code);
}

bool word_begins_at(std::string_view text, std::size_t at) {
  return valid_char_size(text.substr(at)) != 0 &&
         kWordNeighbours.has(decode_valid(text.data() + at).code);
}

}  // namespace

AddedTokenFinder::AddedTokenFinder() : nodes_(1) {}

const std::uint32_t* AddedTokenFinder::step(const Node& node, unsigned char byte) const {
  const auto at =
      std::lower_bound(node.next.begin(), node.next.end(), byte,
                       [](const auto& edge, unsigned char b) { return edge.first < b; });
  return at != node.next.end() && at->first == byte ? &at->second : nullptr;
}

void AddedTokenFinder::add(const AddedToken& token) {
  const auto first = static_cast<unsigned char>(token.content[0]);
  only_start_ = empty() || only_start_ == first ? first : -1;
  starts_[first] = true;
  std::uint32_t node = 0;
  for (const char c : token.content) {
    const auto byte = static_cast<unsigned char>(c);
    if (const std::uint32_t* known = step(nodes_[node], byte)) {
      node = *known;
      continue;
    }
    const auto fresh = static_cast<std::uint32_t>(nodes_.size());
    auto& edges = nodes_[node].next;
    edges.insert(std::lower_bound(edges.begin(), edges.end(), std::pair(byte, 0u)), {byte, fresh});
    nodes_.emplace_back();
    node = fresh;
  }
  nodes_[node].token = static_cast<std::int32_t>(tokens_.size());
  tokens_.push_back(token);
}

std::int32_t AddedTokenFinder::longest_at(std::string_view text, std::size_t at) const {
  std::int32_t longest = -1;
  std::uint32_t node = 0;
  for (std::size_t p = at; p < text.size(); ++p) {
    const std::uint32_t* next = step(nodes_[node], static_cast<unsigned char>(text[p]));
    if (next == nullptr) break;
    node = *next;
    if (nodes_[node].token >= 0) longest = nodes_[node].token;
  }
  return longest;
}

bool AddedTokenFinder::find(std::string_view text, std::size_t from, std::size_t taken,
                            bool parse_special, Found& found) const {
  if (empty()) return false;
  for (std::size_t p = from; p < text.size(); ++p) {
    if (only_start_ >= 0) {
      const void* hit = std::memchr(text.data() + p, only_start_, text.size() - p);
      if (hit == nullptr) return false;
      p = static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
    } else if (!starts_[static_cast<unsigned char>(text[p])]) {
      continue;
    }
    const std::int32_t index = longest_at(text, p);
    if (index < 0) continue;
    const AddedToken& token = tokens_[static_cast<std::size_t>(index)];
    const std::size_t end = p + token.content.size();
    if ((token.special && !parse_special) ||
        (token.single_word && (word_ends_at(text, p) || word_begins_at(text, end)))) {
      p = end - 1;
      continue;
    }
    found = {p, end, end, token.id};
    if (token.lstrip) found.begin = spaces_before(text, p, std::min(taken, p));
    if (token.rstrip) found.end = spaces_behind(text, end);
    return true;
  }
  return false;
}

}  // namespace lathe::tokenize
