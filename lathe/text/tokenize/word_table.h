// Words that are a token of their own -> id: the answer for most words of most texts.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::tokenize {

namespace detail {
inline std::uint64_t load8(const char* p) {
  std::uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}
inline std::uint64_t load4(const char* p) {
  std::uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
/// Up to 16 bytes as two numbers, injective for a given size.
struct TwoWords {
  std::uint64_t low, high;
};
inline TwoWords load_short(const char* p, std::size_t n) {
  if (n >= 8) return {load8(p), load8(p + n - 8)};
  if (n >= 4) return {load4(p) | load4(p + n - 4) << 32, 0};
  if (n == 0) return {0, 0};
  const auto at = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(p[i])}; };
  return {at(0) | at(n / 2) << 8 | at(n - 1) << 16, 0};
}
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}
}  // namespace detail

/// 64 bits, good enough for tables of ours that compare the words as well.
inline std::uint64_t hash_word(std::string_view word) {
  constexpr std::uint64_t kA = 0xA0761D6478BD642Fu, kB = 0xE7037ED1A0B428DBu;
  const char* p = word.data();
  std::size_t n = word.size();
  std::uint64_t state = kA ^ n;
  while (n > 16) {
    state = detail::mix(detail::load8(p) ^ kB, detail::load8(p + 8) ^ state);
    p += 16, n -= 16;
  }
  const detail::TwoWords tail = detail::load_short(p, n);
  return detail::mix(tail.low ^ kB, tail.high ^ state);
}

inline bool same_bytes(const char* a, const char* b, std::size_t n) {
  if (n > 16) return std::memcmp(a, b, n) == 0;
  const detail::TwoWords x = detail::load_short(a, n), y = detail::load_short(b, n);
  return x.low == y.low && x.high == y.high;
}

/// An open-addressed table over one block of bytes.
class WordTable {
 public:
  WordTable() { resize(0); }

  /// Makes room for `count` words and forgets those there are.
  void resize(std::size_t count) {
    std::size_t size = 16;
    while (size < count * 2) size *= 2;
    slots_.assign(size, Slot{});
    mask_ = size - 1;
    bytes_.clear();
  }

  /// REQUIRES: the word is not there yet, id >= 0, room for it.
  void insert(std::string_view word, std::int32_t id) {
    const std::uint64_t hash = hash_word(word);
    std::size_t i = hash & mask_;
    while (slots_[i].id >= 0) i = (i + 1) & mask_;
    slots_[i] = {static_cast<std::uint32_t>(hash >> 32), id,
                 static_cast<std::uint32_t>(bytes_.size()),
                 static_cast<std::uint32_t>(word.size())};
    bytes_.insert(bytes_.end(), word.begin(), word.end());
  }

  /// The id, -1 where the word is not there. `hash` is hash_word(word).
  std::int32_t find(std::string_view word, std::uint64_t hash) const {
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.id < 0) return -1;
      if (slot.tag == tag && slot.size == word.size() &&
          same_bytes(bytes_.data() + slot.offset, word.data(), word.size()))
        return slot.id;
    }
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::int32_t id = -1;
    std::uint32_t offset = 0, size = 0;
  };
  std::vector<Slot> slots_;
  std::vector<char> bytes_;
  std::size_t mask_ = 0;
};

}  // namespace lathe::tokenize
