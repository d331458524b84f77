// Prefill and decode by the shapes of llama-bench: ppN reads N tokens and gives the logits of the
// last, tgN adds N tokens one at a time, each with its logits, from an empty context or behind
// `depth` tokens. Ids are random, without a beginning-of-text token; nothing is sampled.
#pragma once

#include "lathe/base/clock.h"
#include "lathe/base/stop.h"
#include "lathe/life/bench/cost.h"
#include "lathe/life/bench/row.h"
#include "lathe/model/model.h"

namespace lathe::bench {

struct Shape {
  bool decode = false;      // else prefill
  std::int64_t tokens = 0;  // of each row
  std::int64_t depth = 0;   // tokens before
  std::int64_t batch = 1;   // rows that go side by side; above 1: decode
};

/// "pp512", "tg64 @ d4096", "tg128 x8".
std::string name(const Shape& shape);

struct Measuring {
  std::int64_t repetitions = 5;
  const Peaks* peaks = nullptr;
  const Clock* clock = &steady_clock();
  StopToken stop;
};

/// Measures after one repetition that does not count, with encoded weights
/// (LanguageModel::encode_weights). Throws OutOfMemory where the cache cannot be had,
/// InvalidArgument where the model has no such positions, Cancelled on request.
Row measure(model::LanguageModel& model, const Shape& shape, const Measuring& how);

/// Throws Cancelled when a stop is requested.
void obey(const StopToken& stop);

}  // namespace lathe::bench
