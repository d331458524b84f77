#include "lathe/model/gguf_rope.h"

#include <cmath>
#include <numbers>

#include "lathe/base/error.h"

namespace lathe::model {
namespace {

using weights::GgufFile;
using weights::GgufMetadata;
using weights::GgufTensor;

constexpr const char* kFreqs = "rope_freqs.weight";
constexpr const char* kLong = "rope_factors_long.weight";
constexpr const char* kShort = "rope_factors_short.weight";

double wavelength(double theta, std::size_t i, std::size_t frequencies) {
  return 2 * std::numbers::pi *
         std::pow(theta, static_cast<double>(i) / static_cast<double>(frequencies));
}

/// What Llama 3's rule divides frequency i by.
double llama3_divisor(const RopeScaling& s, double wave) {
  const auto context = static_cast<double>(s.original_context);
  if (wave < context / s.high_frequency_factor) return 1;
  if (wave > context / s.low_frequency_factor) return s.factor;
  const double smooth = (context / wave - s.low_frequency_factor) /
                        (s.high_frequency_factor - s.low_frequency_factor);
  return 1 / ((1 - smooth) / s.factor + smooth);
}

/// The divisors of a tensor; empty where there is none.
std::vector<float> divisors(const GgufFile& file, const char* name, std::int64_t rotated) {
  const GgufTensor* tensor = file.find(name);
  if (tensor == nullptr) return {};
  if (tensor->type->dtype != DType::f32 || tensor->shape != Shape{rotated / 2})
    fail(ErrorCode::kCorrupt, "{}: tensor '{}': expected F32 [{}], got {} {}", file.subject(), name,
         rotated / 2, tensor->type->name, to_string(tensor->shape));
  std::vector<float> values = file.tensor(*tensor).to_floats();
  for (const float value : values)
    if (!(value > 0) || !std::isfinite(value))
      fail(ErrorCode::kCorrupt, "{}: tensor '{}': expected divisors above 0, got {}",
           file.subject(), name, value);
  return values;
}

/// Any list of divisors: longrope that makes no difference between short and long texts.
RopeScaling plain_divisors(const std::vector<float>& values, std::int64_t context) {
  RopeScaling s;
  s.kind = "longrope";
  s.factor = 1;
  s.original_context = context;
  s.attention_factor = 1;
  s.short_factor.assign(values.begin(), values.end());
  s.long_factor = s.short_factor;
  return s;
}

double yarn_scale(double factor, double mscale = 1) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

/// What attention is scaled by, mscale included, for which there are no keys (nn/rope.cpp).
double yarn_attention(const RopeScaling& s) {
  if (s.attention_factor > 0) return s.attention_factor;
  if (s.mscale <= 0 || s.mscale_all_dim <= 0) return yarn_scale(s.factor);
  return yarn_scale(s.factor, s.mscale) / yarn_scale(s.factor, s.mscale_all_dim);
}

double longrope_attention(const ModelConfig& c) {
  const auto original = static_cast<double>(c.rope_scaling.original_context);
  const double scale = static_cast<double>(c.context) / original;
  return scale <= 1 ? 1 : std::sqrt(1 + std::log(scale) / std::log(original));
}

double number(const GgufMetadata& m, const std::string& key, double otherwise) {
  const auto value = m.number(key);
  if (!value) return otherwise;
  if (!std::isfinite(*value) || *value < 0)
    fail(ErrorCode::kCorrupt, "metadata '{}': expected a number of 0 or more, got {}", key, *value);
  return *value;
}

RopeScaling read_yarn(const GgufMetadata& m, const std::string& p, RopeScaling s) {
  s.kind = "yarn";
  s.beta_fast = number(m, p + "yarn_beta_fast", 32);
  s.beta_slow = number(m, p + "yarn_beta_slow", 1);
  if (m.contains(p + "attn_factor"))  // on top of the usual one
    s.attention_factor = number(m, p + "attn_factor", 1) * yarn_scale(s.factor);
  else
    s.attention_factor = number(m, p + "yarn_attn_factor", 0);
  return s;
}

RopeScaling read_longrope(const GgufFile& file, const ModelConfig& c, RopeScaling s) {
  const std::vector<float> longer = divisors(file, kLong, c.rotated());
  const std::vector<float> shorter = divisors(file, kShort, c.rotated());
  if (longer.empty() || shorter.empty()) return {};
  s.kind = "longrope";
  s.long_factor.assign(longer.begin(), longer.end());
  s.short_factor.assign(shorter.begin(), shorter.end());
  return s;
}

}  // namespace

RopeScaling fit_llama3(const std::vector<float>& divisors, double theta) {
  const std::size_t n = divisors.size();
  RopeScaling s;
  s.factor = n == 0 ? 0 : divisors.back();
  if (n == 0 || s.factor <= 1 || divisors.front() != 1) return {};
  // On the ramp smooth = slope / wavelength - offset: two points of it tell the rest.
  std::vector<std::pair<double, double>> ramp;  // 1 / wavelength, smooth
  for (std::size_t i = 0; i < n; ++i)
    if (divisors[i] > 1 && divisors[i] < s.factor)
      ramp.emplace_back(1 / wavelength(theta, i, n),
                        (1 / double{divisors[i]} - 1 / s.factor) / (1 - 1 / s.factor));
  if (ramp.size() < 2) return {};
  const double slope =
      (ramp.front().second - ramp.back().second) / (ramp.front().first - ramp.back().first);
  const double offset = slope * ramp.back().first - ramp.back().second;
  if (!(slope > 0) || !(offset > 0)) return {};
  s.kind = "llama3";
  s.low_frequency_factor = 1;
  s.high_frequency_factor = std::round((1 + 1 / offset) * 1e4) / 1e4;
  s.original_context = std::llround(slope / offset);
  if (s.original_context < 1 || s.high_frequency_factor <= 1) return {};
  for (std::size_t i = 0; i < n; ++i) {
    const double wanted = llama3_divisor(s, wavelength(theta, i, n));
    if (std::abs(divisors[i] / wanted - 1) > 2e-5) return {};  // borders lie on f32 frequencies
  }
  return s;
}

RopeScaling read_gguf_rope_scaling(const GgufFile& file, const ModelConfig& c) {
  const GgufMetadata& m = file.metadata();
  const std::string a = m.text("general.architecture").value_or(""), p = a + ".rope.scaling.";
  RopeScaling s;
  s.original_context = m.integer(p + "original_context_length").value_or(0);
  s.factor = number(m, p + "factor", 0);
  if (s.original_context < 0)
    fail(ErrorCode::kCorrupt, "{}: metadata '{}original_context_length': got {}", file.subject(), p,
         s.original_context);
  const std::string type = m.text(p + "type").value_or("");
  if (type == "yarn") return read_yarn(m, p, s);
  s.attention_factor = number(m, p + "attn_factor", 0);
  if (const RopeScaling longrope = read_longrope(file, c, s); longrope.present()) return longrope;
  if (const auto values = divisors(file, kFreqs, c.rotated()); !values.empty()) {
    const RopeScaling llama3 = fit_llama3(values, c.rope_theta);
    return llama3.present() ? llama3 : plain_divisors(values, c.context);
  }
  const double linear = number(m, a + ".rope.scale_linear", 0);  // as older writers had it
  if ((type == "linear" && s.factor > 0) || linear > 0) {
    s.kind = "linear";
    if (linear > 0) s.factor = linear;
    return s;
  }
  if (!type.empty() && type != "none" && type != "linear" && type != "longrope")
    fail(ErrorCode::kUnsupported, "{}: metadata '{}type': scaling '{}' is not supported",
         file.subject(), p, type);
  return {};
}

void write_gguf_rope_scaling(const ModelConfig& c, GgufMetadata& m) {
  const RopeScaling& s = c.rope_scaling;
  const std::string p = *m.text("general.architecture") + ".rope.scaling.";
  const auto f32 = [&](const char* key, double value) {
    m.set(p + key, static_cast<float>(value));
  };
  if (s.kind == "linear" || s.kind == "yarn" || s.kind == "longrope") m.set(p + "type", s.kind);
  if (s.kind == "linear" || s.kind == "yarn") f32("factor", s.factor);
  if (s.kind == "yarn" || s.kind == "longrope" || c.kind == "phi3")
    m.set(p + "original_context_length",
          static_cast<std::uint32_t>(s.present() ? s.original_context : c.context));
  if (s.kind == "yarn") {
    f32("yarn_beta_fast", s.beta_fast);
    f32("yarn_beta_slow", s.beta_slow);
    const double factor = yarn_attention(s);
    if (s.attention_factor > 0 || factor != yarn_scale(s.factor)) {
      f32("yarn_attn_factor", factor);
      f32("attn_factor", factor / yarn_scale(s.factor));
    }
  }
  if (s.kind == "longrope")
    f32("attn_factor", s.attention_factor > 0 ? s.attention_factor : longrope_attention(c));
}

std::vector<std::pair<std::string, std::vector<float>>> gguf_rope_tensors(const ModelConfig& c) {
  const RopeScaling& s = c.rope_scaling;
  const auto floats = [](const std::vector<double>& v) {
    return std::vector<float>(v.begin(), v.end());
  };
  if (s.kind == "longrope")
    return {{kLong, floats(s.long_factor)}, {kShort, floats(s.short_factor)}};
  if (s.kind != "llama3") return {};
  std::vector<float> values;
  const auto n = static_cast<std::size_t>(c.rotated() / 2);
  for (std::size_t i = 0; i < n; ++i)
    values.push_back(static_cast<float>(llama3_divisor(s, wavelength(c.rope_theta, i, n))));
  return {{kFreqs, values}};
}

}  // namespace lathe::model
