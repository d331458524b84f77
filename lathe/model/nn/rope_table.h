// Cosines and sines of the rotary positions, grown on demand.
#pragma once

#include "lathe/engine/ops/ops.h"

namespace lathe::nn {

class RopeCache {
 public:
  RopeCache() = default;
  RopeCache(std::int64_t rotated, double theta) : rotated_(rotated), theta_(theta) {}

  /// A table of at least `positions` rows. Shapes: cos, sin f32 [P, rotated/2]. The angle is formed
  /// in f32 (as transformers does, so that both turn by the same angle), its cosine in f64.
  /// Source: Su et al. 2021, equation 15.
  const ops::RopeTable& upto(std::int64_t positions, Device device);

 private:
  std::int64_t rotated_ = 0;
  double theta_ = 10000;
  ops::RopeTable table_;
};

}  // namespace lathe::nn
