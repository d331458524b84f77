// Samplers that sharpen or flatten.
#pragma once

#include "lathe/life/generate/candidates.h"

namespace lathe::generate {

/// Divides the logits; a temperature of 0 or less leaves the likeliest alone.
void heat(Candidates& c, double temperature);

/// A temperature between `temperature - range` (at least 0) and `temperature + range` by how much
/// of the largest possible entropy there is, to the power of the exponent.
void heat_by_entropy(Candidates& c, double temperature, double range, double exponent);

}  // namespace lathe::generate
