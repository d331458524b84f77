// The end of a chain: what takes one candidate.
#pragma once

#include <cstdint>

#include "lathe/life/generate/candidates.h"

namespace lathe::generate {

/// The candidate at which the sum of probabilities, in the present order, exceeds u in [0, 1).
/// REQUIRES: p is filled.
std::size_t draw(const Candidates& c, double u);

struct Choice {
  std::int32_t id;
  double value;  // what the sampler remembers if the token is accepted
};

struct Mirostat {
  std::int64_t version;  // 1 or 2
  double tau, eta, mu;
  std::int64_t vocab;
};

/// Cuts by surprise so that the text's surprise stays near tau bits a token; `value` is the next
/// mu. Source: Basu et al. 2021, algorithm 1 and (version 2) algorithm 2.
Choice choose_mirostat(Candidates& c, const Mirostat& m, double u);

/// Prefers tokens whose probability is near the target, corrected by how far the mean of those
/// chosen before lies from it; `value` is the probability of the choice before this.
Choice choose_adaptive(Candidates& c, double target, double mean, double u);

}  // namespace lathe::generate
