#include "lathe/model/nn/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lathe::nn {
namespace {

using model::RopeScaling;

float power(double theta, std::int64_t i, std::int64_t rotated) {
  const float exponent = static_cast<float>(2 * i) / static_cast<float>(rotated);
  return std::pow(static_cast<float>(theta), exponent);
}

double dynamic_theta(const RopeSpec& spec, std::int64_t length) {
  const auto context = static_cast<double>(spec.context);
  const double n = std::max(static_cast<double>(length), context);
  const auto r = static_cast<double>(spec.rotated);
  const double f = spec.scaling.factor;
  return spec.theta * std::pow(f * n / context - (f - 1), r / (r - 2));
}

/// The (fractional) index of the frequency that turns so many times in the original context.
double yarn_border(const RopeSpec& spec, double turns) {
  const auto original = static_cast<double>(spec.scaling.original_context);
  return static_cast<double>(spec.rotated) * std::log(original / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(spec.theta));
}

void stretch_yarn(const RopeSpec& spec, std::vector<float>& inverse) {
  double low = yarn_border(spec, spec.scaling.beta_fast);
  double high = yarn_border(spec, spec.scaling.beta_slow);
  if (spec.scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(spec.rotated - 1));
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < inverse.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    const double plain = inverse[i];
    inverse[i] = static_cast<float>(plain / spec.scaling.factor * ramp + plain * (1 - ramp));
  }
}

void stretch_llama3(const RopeScaling& s, std::vector<float>& inverse) {
  const auto original = static_cast<double>(s.original_context);
  for (float& inv : inverse) {
    const double wave = 2 * std::numbers::pi / static_cast<double>(inv);
    if (wave < original / s.high_frequency_factor) continue;
    if (wave > original / s.low_frequency_factor) {
      inv = static_cast<float>(static_cast<double>(inv) / s.factor);
      continue;
    }
    const double smooth = (original / wave - s.low_frequency_factor) /
                          (s.high_frequency_factor - s.low_frequency_factor);
    inv = static_cast<float>((1 - smooth) * static_cast<double>(inv) / s.factor +
                             smooth * static_cast<double>(inv));
  }
}

double yarn_magnitude(double factor, double scale) {
  return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

}  // namespace

std::vector<float> rope_frequencies(const RopeSpec& spec, std::int64_t length) {
  const RopeScaling& s = spec.scaling;
  const double theta = s.kind == "dynamic" ? dynamic_theta(spec, length) : spec.theta;
  std::vector<float> inverse;
  for (std::int64_t i = 0; i < spec.pairs(); ++i)
    inverse.push_back(1.0f / power(theta, i, spec.rotated));
  if (s.kind == "linear") {
    for (float& inv : inverse) inv /= static_cast<float>(s.factor);
  } else if (s.kind == "yarn") {
    stretch_yarn(spec, inverse);
  } else if (s.kind == "llama3") {
    stretch_llama3(s, inverse);
  } else if (s.kind == "longrope") {
    const auto& divisors = length > s.original_context ? s.long_factor : s.short_factor;
    for (std::int64_t i = 0; i < spec.pairs(); ++i) {
      const auto divisor = static_cast<float>(divisors[static_cast<std::size_t>(i)]);
      inverse[static_cast<std::size_t>(i)] = 1.0f / (divisor * power(theta, i, spec.rotated));
    }
  }
  return inverse;
}

double rope_attention_factor(const RopeSpec& spec) {
  const RopeScaling& s = spec.scaling;
  if (s.kind != "yarn" && s.kind != "longrope") return 1.0;
  if (s.attention_factor > 0) return s.attention_factor;
  if (s.kind == "longrope")
    return s.factor <= 1 ? 1.0
                         : std::sqrt(1 + std::log(s.factor) /
                                             std::log(static_cast<double>(s.original_context)));
  if (s.mscale > 0 && s.mscale_all_dim > 0)
    return yarn_magnitude(s.factor, s.mscale) / yarn_magnitude(s.factor, s.mscale_all_dim);
  return yarn_magnitude(s.factor, 1);
}

int Rope::regime(std::int64_t length) const {
  return spec_.scaling.kind == "longrope" && length > spec_.scaling.original_context ? 1 : 0;
}

std::int64_t Rope::scaled_length(std::int64_t length) const {
  if (spec_.scaling.kind == "dynamic") return std::max(length, spec_.context);
  return regime(length);
}

const ops::RopeTable& Rope::upto(std::int64_t length, Device device) {
  if (made_for_ == scaled_length(length) && table_.cos.dim(0) >= length &&
      table_.cos.device() == device)
    return table_;
  made_for_ = scaled_length(length);
  std::int64_t rows = 64;
  while (rows < length) rows *= 2;
  const std::int64_t half = spec_.pairs();
  table_.cos = Tensor::empty({rows, half}, DType::f32, device);
  table_.sin = Tensor::empty({rows, half}, DType::f32, device);
  if (device == Device::meta) return table_;
  const std::vector<float> inverse = rope_frequencies(spec_, length);
  const double factor = rope_attention_factor(spec_);
  for (std::int64_t p = 0; p < rows; ++p) {
    for (std::int64_t i = 0; i < half; ++i) {
      const double angle = static_cast<float>(p) * inverse[static_cast<std::size_t>(i)];
      table_.cos.data<float>()[p * half + i] = static_cast<float>(std::cos(angle) * factor);
      table_.sin.data<float>()[p * half + i] = static_cast<float>(std::sin(angle) * factor);
    }
  }
  return table_;
}

}  // namespace lathe::nn
