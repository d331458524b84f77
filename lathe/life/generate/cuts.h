// Samplers that take candidates away. None takes the last one, nor more than leaves `keep`.
#pragma once

#include <cstdint>

#include "lathe/life/generate/candidates.h"

namespace lathe::generate {

/// The k likeliest; k <= 0: all.
void cut_top_k(Candidates& c, std::int64_t k);

/// The fewest likeliest whose probability reaches p; p >= 1: all.
void cut_top_p(Candidates& c, double p, std::int64_t keep);

/// Those at least p times as probable as the likeliest; p <= 0: all.
void cut_min_p(Candidates& c, double p, std::int64_t keep);

/// The fewest whose probability exceeds p, taken in the order of how near their information comes
/// to the entropy; p >= 1: all.
void cut_typical(Candidates& c, double p, std::int64_t keep);

/// Those whose logit is at most n standard deviations under the highest; n <= 0: all.
void cut_top_n_sigma(Candidates& c, double n);

/// Takes away all but the least probable of those that reach the threshold.
void cut_xtc(Candidates& c, double threshold, std::int64_t keep);

}  // namespace lathe::generate
