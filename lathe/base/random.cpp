#include "lathe/base/random.h"

#include <cmath>
#include <numbers>

namespace lathe {
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;  // Philox 4x32
constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

std::uint64_t mix(std::uint64_t x) {  // splitmix64 finaliser
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

}  // namespace

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001B3;
  return hash;
}

RandomStream::RandomStream(std::uint64_t seed, std::string_view name)
    : key_(mix(seed)), salt_(mix(fnv1a(name) ^ mix(seed ^ 0x5EED))) {}

std::array<std::uint32_t, 4> RandomStream::block(std::uint64_t index) const {
  std::array<std::uint32_t, 4> c = {
      static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
      static_cast<std::uint32_t>(salt_), static_cast<std::uint32_t>(salt_ >> 32)};
  auto k0 = static_cast<std::uint32_t>(key_), k1 = static_cast<std::uint32_t>(key_ >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{kMultiplier0} * c[0];
    const std::uint64_t p1 = std::uint64_t{kMultiplier1} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return c;
}

std::uint64_t RandomStream::word(std::uint64_t index) const {
  const auto b = block(index);
  return std::uint64_t{b[0]} | std::uint64_t{b[1]} << 32;
}

double RandomStream::uniform(std::uint64_t index) const {
  return static_cast<double>(word(index) >> 11) * 0x1p-53;
}

std::uint64_t RandomStream::below(std::uint64_t n, std::uint64_t index) const {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(word(index)) * n) >> 64);
}

double RandomStream::normal(std::uint64_t index) const {
  const auto b = block(index);
  const std::uint64_t w0 = std::uint64_t{b[0]} | std::uint64_t{b[1]} << 32;
  const std::uint64_t w1 = std::uint64_t{b[2]} | std::uint64_t{b[3]} << 32;
  const double u = (static_cast<double>(w0 >> 11) + 1.0) * 0x1p-53;  // (0, 1]
  const double v = static_cast<double>(w1 >> 11) * 0x1p-53;
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

std::uint64_t permute(std::uint64_t i, std::uint64_t n, std::uint64_t seed) {
  if (n <= 1) return 0;
  int half = 1;
  while ((std::uint64_t{1} << (2 * half)) < n && half < 32) ++half;
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  do {
    std::uint64_t left = i >> half, right = i & mask;
    for (std::uint64_t round = 0; round < 4; ++round) {
      const std::uint64_t next = left ^ (mix(right ^ mix(seed + round)) & mask);
      left = right;
      right = next;
    }
    i = left << half | right;
  } while (i >= n);
  return i;
}

}  // namespace lathe
