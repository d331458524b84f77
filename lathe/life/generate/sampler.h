// From logits to a token.
#pragma once

#include <cstdint>
#include <span>

#include "lathe/base/random.h"

namespace lathe::generate {

struct SamplerOptions {
  double temperature = 0.8;  // 0: the likeliest token (the first of equals)
  std::int64_t top_k = 40;   // 0: all
  double top_p = 0.95;       // 1: all
  std::uint64_t seed = 1;
};

/// Keeps the top_k likeliest tokens, then the fewest of them whose probability reaches top_p, then
/// draws at the temperature. A draw is a function of (seed, index), so generation can be repeated
/// from any point. Sums run in f64 over tokens by falling logit, ties by ascending id.
class Sampler {
 public:
  explicit Sampler(SamplerOptions options) : options_(options), stream_(options.seed, "sample") {}

  /// `index` is the position that is being filled. REQUIRES: logits are not empty. Throws Internal
  /// where every logit is NaN.
  std::int32_t pick(std::span<const float> logits, std::uint64_t index) const;

 private:
  SamplerOptions options_;
  RandomStream stream_;
};

}  // namespace lathe::generate
