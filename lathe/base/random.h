// Counter-based random numbers: a draw is a pure function of (seed, stream name, index), so any
// draw can be repeated out of order, on any thread, after a resume.
// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox 4x32-10).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lathe {

class RandomStream {
 public:
  /// Streams of different names are independent: RandomStream(seed, "init/model.embed_tokens").
  RandomStream(std::uint64_t seed, std::string_view name);

  /// Four random words of draw `index`.
  std::array<std::uint32_t, 4> block(std::uint64_t index) const;

  /// Uniform 64-bit word of draw `index`.
  std::uint64_t word(std::uint64_t index) const;

  /// Uniform in [0, 1) with 53 bits.
  double uniform(std::uint64_t index) const;

  /// Uniform integer in [0, n), unbiased to within 2^-64. n >= 1.
  std::uint64_t below(std::uint64_t n, std::uint64_t index) const;

  /// Standard normal (Box-Muller over one block).
  double normal(std::uint64_t index) const;

 private:
  std::uint64_t key_;
  std::uint64_t salt_;
};

/// A permutation of [0, n) by index, without memory: a Feistel network on the smallest even-bit
/// domain that holds n, walked until the value falls below n. i < n.
std::uint64_t permute(std::uint64_t i, std::uint64_t n, std::uint64_t seed);

/// FNV-1a, 64 bits: names to stream keys. Not for integrity (see base/hash.h).
std::uint64_t fnv1a(std::string_view text);

}  // namespace lathe
