// Learning-rate schedules: a pure function of tokens, so a run can be extended, shortened or
// resumed without changing what has been.
#pragma once

#include <cstdint>
#include <string>

#include "lathe/base/fields.h"

namespace lathe::optim {

/// The [schedule] table.
struct ScheduleConfig {
  std::string kind = "cosine";
  std::int64_t warmup_tokens = 0;
  double min_ratio = 0.1;
  double decay_fraction = 0.2;
  std::string decay_shape = "linear";

  void fields(Fields& f);
};

/// Factor on the learning rate for the step that begins after `tokens_before` of `total_tokens` and
/// takes `step_tokens`. Warm-up: (tokens_before + step_tokens) / warmup, at most 1, times
///   constant  1
///   cosine    min + (1 - min)/2 (1 + cos(pi p)), p = share of the tokens after the warm-up
///   linear    1 - (1 - min) p
///   wsd       1, then over the last decay_fraction min + (1 - min) d(p), d by decay_shape:
///             linear 1 - p, sqrt 1 - sqrt(p), cosine (1 + cos(pi p))/2
/// Source: Loshchilov & Hutter 2017 (cosine); Hu et al. 2024, arXiv 2404.06395 (WSD); Haegele et
/// al. 2024, 2405.18392 (1 - sqrt).
double schedule_factor(const ScheduleConfig& config, std::int64_t tokens_before,
                       std::int64_t step_tokens, std::int64_t total_tokens);

}  // namespace lathe::optim
