// From logits to a token: a chain of samplers, then a draw.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/base/random.h"
#include "lathe/life/generate/candidates.h"
#include "lathe/life/generate/history.h"
#include "lathe/life/generate/sampler_options.h"

namespace lathe::generate {

/// Applies the chain to one text, token by token. A draw is a function of (seed, position), the
/// text before it and the logits, so generation can be repeated from any point: stream "sample"
/// chooses the token and stream "xtc" whether XTC acts, both at the index of the position. Sums
/// run in f64, ties fall to the lowest id.
/// Sources: nucleus: Holtzman et al. 2020; typical: Meister et al. 2023; min-p: Nguyen et al. 2024;
/// top-n-sigma: Tang et al. 2024; mirostat: Basu et al. 2021; repetition: Keskar et al. 2019; DRY,
/// XTC, dynamic temperature and adaptive-p: as llama.cpp defines them.
class Sampler {
 public:
  /// Throws InvalidArgument for a sampler that does not exist and for numbers out of range.
  explicit Sampler(SamplerOptions options);

  /// Chooses the token of position `index`. REQUIRES: logits are not empty. Throws Internal where
  /// every logit is NaN, InvalidArgument where the bias forbids all.
  std::int32_t pick(std::span<const float> logits, std::uint64_t index);

  /// A token stands in the text now: of the prompt, or one that was picked.
  void accept(std::int32_t id);
  void accept(std::span<const std::int32_t> ids);

  /// What the chain leaves to the draw, without probabilities (softmax() fills them).
  Candidates candidates(std::span<const float> logits, std::uint64_t index) const;

  const SamplerOptions& options() const { return options_; }

 private:
  void apply(SamplerKind kind, Candidates& c, std::uint64_t index) const;
  /// How many of the likeliest are enough to begin with; 0: all are needed.
  std::size_t enough() const;

  SamplerOptions options_;
  std::vector<SamplerKind> chain_;
  RandomStream draws_, xtc_;
  History history_;

  // What the choice changes once it is accepted: mirostat's mu, adaptive-p's averages.
  std::int32_t pending_ = -1;
  double pending_value_ = 0;
  double mu_;
  double adaptive_sum_, adaptive_weight_;
};

}  // namespace lathe::generate
