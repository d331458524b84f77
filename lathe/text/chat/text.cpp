#include "lathe/text/chat/text.h"

#include <algorithm>

namespace lathe::chat {
namespace {

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

Trust Text::trust_at(std::size_t at) const {
  const auto flips = std::upper_bound(flips_.begin(), flips_.end(), at) - flips_.begin();
  return flips % 2 == 0 ? first_ : other(first_);
}

void Text::append(std::string_view bytes, Trust trust) {
  if (bytes.empty()) return;
  if (bytes_.empty()) {
    first_ = trust;
    flips_.clear();
  } else if (last() != trust) {
    flips_.push_back(bytes_.size());
  }
  bytes_ += bytes;
}

void Text::append(const Text& from, std::size_t begin, std::size_t end) {
  if (begin >= end) return;
  if (this == &from) return append(Text(from), begin, end);
  auto flip = std::upper_bound(from.flips_.begin(), from.flips_.end(), begin);
  Trust trust = (flip - from.flips_.begin()) % 2 == 0 ? from.first_ : other(from.first_);
  while (begin < end) {
    const std::size_t stop = flip == from.flips_.end() ? end : std::min(end, *flip++);
    append(from.view().substr(begin, stop - begin), trust);
    begin = stop;
    trust = other(trust);
  }
}

Text Text::slice(std::size_t begin, std::size_t end) const {
  Text part;
  part.append(*this, begin, end);
  return part;
}

void Text::shorten(std::size_t size) {
  bytes_.resize(std::min(size, bytes_.size()));
  while (!flips_.empty() && flips_.back() >= bytes_.size()) flips_.pop_back();
}

std::vector<Text::Run> Text::runs() const {
  std::vector<Run> runs;
  std::size_t begin = 0;
  Trust trust = first_;
  for (const std::size_t flip : flips_) {
    runs.push_back({begin, flip, trust});
    begin = flip;
    trust = other(trust);
  }
  if (begin < size()) runs.push_back({begin, size(), trust});
  return runs;
}

std::size_t count_characters(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues));
}

std::size_t byte_of_character(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  for (; index > 0 && at < text.size(); --index) at += character_size(text, at);
  return at;
}

std::size_t character_size(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && continues(text[end])) ++end;
  return end - at;
}

}  // namespace lathe::chat
