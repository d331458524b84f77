// Samplers that make tokens of the text so far less likely.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/life/generate/candidates.h"
#include "lathe/life/generate/history.h"

namespace lathe::generate {

struct RepeatPenalty {
  double repeat = 1;     // a positive logit is divided by it, another multiplied
  double frequency = 0;  // taken off for each occurrence
  double presence = 0;   // taken off once
};

/// For tokens that the history counts.
void penalise_repeats(Candidates& c, const History& history, const RepeatPenalty& penalty);

struct DryPenalty {
  double multiplier = 0, base = 1.75;
  std::int64_t allowed_length = 2;
  /// Where one of these stands in the text, no repetition is followed across it.
  std::span<const std::vector<std::int32_t>> breakers;
};

/// For tokens that would continue a repetition ("don't repeat yourself"): where the last L tokens
/// of the text stand in it earlier, too, the token that followed there loses
/// multiplier base^(L - allowed_length), for the longest such L >= allowed_length. O(text).
void penalise_continuations(Candidates& c, std::span<const std::int32_t> text,
                            const DryPenalty& penalty);

}  // namespace lathe::generate
