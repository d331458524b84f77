// A fast 64-bit fingerprint of bytes, to notice change. Not for integrity against an adversary
// (base/hash.h has SHA-256).
#pragma once

#include <fmt/core.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace lathe::data {

/// Bytes and numbers in, 64 bits out; add(a).add(b) differs from add(a + b). Little-endian machines
/// only, as all of Lathe. Multiply-and-fold on 16 bytes at a time: some GB/s.
class Digest {
 public:
  explicit Digest(std::uint64_t seed = 0) : state_(seed ^ kA) {}

  Digest& add(std::uint64_t value) {
    state_ = fold(state_ ^ value ^ kA, kB);
    return *this;
  }

  Digest& add(std::string_view bytes) {
    add(static_cast<std::uint64_t>(bytes.size()));
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 16; left -= 16, at += 16)
      state_ = fold(load(at, 8) ^ kA, load(at + 8, 8) ^ state_ ^ kB);
    if (left > 8) {
      state_ = fold(load(at, 8) ^ kA, load(at + 8, left - 8) ^ state_ ^ kB);
    } else if (left > 0) {
      state_ = fold(load(at, left) ^ kA, state_ ^ kB);
    }
    return *this;
  }

  std::uint64_t value() const { return fold(state_ ^ kB, kC); }
  std::string hex() const { return fmt::format("{:016x}", value()); }

 private:
  static constexpr std::uint64_t kA = 0x9E3779B97F4A7C15, kB = 0xD1B54A32D192ED03,
                                 kC = 0x8CB92BA72F3D8DD7;

  static std::uint64_t load(const char* at, std::size_t n) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, n);
    return word;
  }
  /// Both halves of the product, and the inputs, so that a zero factor does not erase the other.
  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64) ^
           std::rotl(a, 23) ^ b;
  }

  std::uint64_t state_;
};

}  // namespace lathe::data
