// The likeliest texts rather than drawn ones.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lathe/base/stop.h"
#include "lathe/model/model.h"

namespace lathe::generate {

struct BeamOptions {
  std::int64_t width = 4;              // texts that are kept at each length
  std::int64_t tokens = 100;           // at most so many new ones
  double length_penalty = 1;           // scores are divided by length^penalty
  bool early_stopping = false;         // ends as soon as `width` texts are finished
  std::vector<std::int32_t> stop_ids;  // each finishes a text
  StopToken cancel;
};

struct Beam {
  std::vector<std::int32_t> ids;  // new ones, without the stop id
  std::int32_t stop_id = -1;      // -1: cut off by `tokens`
  double score = 0;  // sum of log-probabilities, the stop id's included, over length^penalty
};

/// The best `width` continuations, best first, as transformers' generate(num_beams=width) finds
/// them. Sums of log-probabilities run in f32 in the order of the text; ties fall to the earlier
/// beam and the lower id. Throws as generate(). Source: the rules of transformers 5.
std::vector<Beam> beam_search(model::LanguageModel& model, std::span<const std::int32_t> prompt,
                              const BeamOptions& options);

}  // namespace lathe::generate
