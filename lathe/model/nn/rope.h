// Rotary positions: frequencies, their scalings for longer contexts, and tables of cosines and
// sines, grown on demand.
#pragma once

#include <vector>

#include "lathe/engine/ops/ops.h"
#include "lathe/model/model.h"

namespace lathe::nn {

/// What the frequencies of some layers follow from.
struct RopeSpec {
  std::int64_t rotated = 0;  // elements of a head that turn; an odd one takes the next along
  double theta = 10000;
  model::RopeScaling scaling;
  std::int64_t context = 0;  // positions the model is made for

  std::int64_t pairs() const { return (rotated + 1) / 2; }
};

/// Radians a position, for a text of `length` tokens (which matters to dynamic and longrope only);
/// [pairs]. With inv_i = theta^(-2i / rotated), L the original context and f the factor:
/// - linear: inv_i / f. Source: Chen et al. 2023, arXiv 2306.15595.
/// - dynamic: theta times (f n / L - (f - 1))^(r / (r - 2)), n = max(length, L), where L is the
///   context of the model.
/// - yarn: a ramp from inv_i to inv_i / f between the frequencies that turn beta_fast and beta_slow
///   times in L. Source: Peng et al. 2023, arXiv 2309.00071, section 3.2.
/// - llama3: waves shorter than L / high stay, those longer than L / low become inv_i / f, between
///   them a blend that is linear in the number of turns. Source: Llama 3.1, published code.
/// - longrope: inv_i / short_i for texts of up to L tokens, inv_i / long_i beyond. Source: Ding et
///   al. 2024, arXiv 2402.13753.
/// The power is formed in f32, as transformers does, so that both turn by the same angles.
std::vector<float> rope_frequencies(const RopeSpec& spec, std::int64_t length);

/// What cosines and sines are multiplied by, so that scores grow by its square: yarn
/// 0.1 ln f + 1, longrope sqrt(1 + ln f / ln L), unless the configuration names it; else 1.
double rope_attention_factor(const RopeSpec& spec);

class Rope {
 public:
  Rope() = default;
  explicit Rope(RopeSpec spec) : spec_(std::move(spec)) {}

  /// A table of at least `length` rows for a text of that length. Shapes: cos, sin
  /// f32 [P, pairs]. The angle is formed in f32, its cosine in f64. Source: Su et al. 2021,
  /// equation 15.
  const ops::RopeTable& upto(std::int64_t length, Device device);

  /// Keys that were turned at one length serve at another one of the same regime (longrope has
  /// two). With dynamic scaling keys keep the angle of the length at which they came, as in
  /// transformers.
  int regime(std::int64_t length) const;
  /// Whether the table of a text of that length serves no other length.
  bool changes_at(std::int64_t length) const {
    return spec_.scaling.kind == "dynamic" && length > spec_.context;
  }

 private:
  std::int64_t scaled_length(std::int64_t length) const;

  RopeSpec spec_;
  std::int64_t made_for_ = -1;  // scaled_length of the table
  ops::RopeTable table_;
};

}  // namespace lathe::nn
