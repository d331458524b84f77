// The searches behind Q4_K, Q5_K and Q6_K: several step sizes are tried for each group, each
// refined by weighted least squares, and the best kept; then the groups' scales are quantised and
// every element is rounded once more against what was stored. The order of every sum is that of
// llama-quantize, so that the bytes are too. Source: ggml-quants.c of llama.cpp (facts).
#include "lathe/engine/kernels/reference/quant_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "lathe/engine/kernels/float16.h"

namespace lathe::kernels::reference {
namespace {

constexpr float kTiny = 1e-15f;  // groups below are zero

/// Round to nearest even by the carry of an addition; total for any float.
int nearest(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x + 12582912.0f);
  return static_cast<int>(bits & 0x7FFFFF) - 0x400000;
}

int nearest_in(float x, int least, int most) { return std::clamp(nearest(x), least, most); }

float round_to_f16(std::uint8_t* p, float x) {
  const f16_t half = to_f16(x);
  std::memcpy(p, &half, 2);
  return to_f32(half);
}

/// A group as scale * q - minimum.
struct Fit {
  float scale = 0, minimum = 0;
};

/// How a type searches: step sizes (most + from + i / 10) / range, i = 0 .. tries.
struct Search {
  int most;
  float from;
  int tries;
};

/// One group of 32 values and its weights, with what every trial needs.
class Affine {
 public:
  Affine(const float* x, const float* weights) : x_(x), w_(weights) {
    least_ = most_ = x[0];
    sum_w_ = w_[0];
    sum_x_ = sum_w_ * x[0];
    for (int i = 1; i < 32; ++i) {
      if (x[i] < least_) least_ = x[i];
      if (x[i] > most_) most_ = x[i];
      sum_w_ += w_[i];
      sum_x_ += w_[i] * x[i];
    }
    if (least_ > 0) least_ = 0;
  }

  Fit search(const Search& s, std::uint8_t* q) {
    if (most_ == least_) {
      std::memset(q, 0, 32);
      return {0.0f, -least_};
    }
    round_all(static_cast<float>(s.most) / (most_ - least_), s.most, q);
    Fit best{1 / (static_cast<float>(s.most) / (most_ - least_)), least_};
    float best_error = error(best, q);
    for (int i = 0; i <= s.tries; ++i) {
      std::uint8_t trial[32];
      const float factor =
          (s.from + 0.1f * static_cast<float>(i) + static_cast<float>(s.most)) / (most_ - least_);
      round_all(factor, s.most, trial);
      Fit fit;
      if (!solve(trial, fit)) continue;
      const float e = error(fit, trial);
      if (!(e < best_error)) continue;
      std::memcpy(q, trial, 32);
      best_error = e;
      best = fit;
      least_ = fit.minimum;  // later trials start from here
    }
    return {best.scale, -best.minimum};
  }

 private:
  void round_all(float factor, int most, std::uint8_t* q) const {
    for (int i = 0; i < 32; ++i)
      q[i] = static_cast<std::uint8_t>(nearest_in(factor * (x_[i] - least_), 0, most));
  }

  float error(const Fit& fit, const std::uint8_t* q) const {
    float sum = 0;
    for (int i = 0; i < 32; ++i) {
      const float difference = fit.scale * static_cast<float>(q[i]) + fit.minimum - x_[i];
      sum += w_[i] * (difference * difference);
    }
    return sum;
  }

  /// Weighted least squares for given q; a positive minimum is held at 0.
  bool solve(const std::uint8_t* q, Fit& fit) const {
    float sum_q = 0, sum_qq = 0, sum_xq = 0;
    for (int i = 0; i < 32; ++i) {
      const auto l = static_cast<float>(q[i]);
      sum_q += w_[i] * l;
      sum_qq += w_[i] * l * l;
      sum_xq += w_[i] * l * x_[i];
    }
    const float determinant = sum_w_ * sum_qq - sum_q * sum_q;
    if (!(determinant > 0)) return false;
    fit.scale = (sum_w_ * sum_xq - sum_x_ * sum_q) / determinant;
    fit.minimum = (sum_qq * sum_x_ - sum_q * sum_xq) / determinant;
    if (fit.minimum > 0) fit = {sum_xq / sum_qq, 0};
    return true;
  }

  const float *x_, *w_;
  float least_, most_, sum_w_, sum_x_;
};

/// Scales and minima of eight groups as 6-bit numbers in twelve bytes, after their f16 units.
void write_scales(const Fit* fits, std::uint8_t* block) {
  float scale = 0, minimum = 0;
  for (int g = 0; g < 8; ++g) {
    if (fits[g].scale > scale) scale = fits[g].scale;
    if (fits[g].minimum > minimum) minimum = fits[g].minimum;
  }
  const float by_scale = scale > 0 ? 63.0f / scale : 0.0f;
  const float by_minimum = minimum > 0 ? 63.0f / minimum : 0.0f;
  std::uint8_t* s = block + 4;
  for (int g = 0; g < 8; ++g) {
    // Negative numbers wrap before they are limited, as in the original.
    const auto a =
        std::min<std::uint8_t>(63, static_cast<std::uint8_t>(nearest(by_scale * fits[g].scale)));
    const auto b = std::min<std::uint8_t>(
        63, static_cast<std::uint8_t>(nearest(by_minimum * fits[g].minimum)));
    if (g < 4) {
      s[g] = a;
      s[g + 4] = b;
    } else {
      s[g + 4] = static_cast<std::uint8_t>((a & 15) | (b & 15) << 4);
      s[g - 4] = static_cast<std::uint8_t>(s[g - 4] | (a >> 4) << 6);
      s[g] = static_cast<std::uint8_t>(s[g] | (b >> 4) << 6);
    }
  }
  round_to_f16(block, scale / 63.0f);
  round_to_f16(block + 2, minimum / 63.0f);
}

/// Fits eight groups, writes their scales, and rounds all elements against what was stored.
void affine_groups(const float* x, const Search& s, std::uint8_t* block, std::uint8_t* q) {
  Fit fits[8];
  for (int g = 0; g < 8; ++g) {
    const float* group = x + 32 * g;
    float squares = 0, weights[32];
    for (int i = 0; i < 32; ++i) squares += group[i] * group[i];
    const float mean = std::sqrt(squares / 32);
    for (int i = 0; i < 32; ++i) weights[i] = mean + std::fabs(group[i]);
    fits[g] = Affine(group, weights).search(s, q + 32 * g);
  }
  write_scales(fits, block);
  DecodedBlock stored;
  decode_block(QuantType::q4_k, block, stored);  // Q5_K keeps its scales in the same place
  for (int g = 0; g < 8; ++g) {
    if (stored.scale[g] == 0) continue;
    for (int i = 32 * g; i < 32 * g + 32; ++i)
      q[i] = static_cast<std::uint8_t>(
          nearest_in((x[i] - stored.minimum[g]) / stored.scale[g], 0, s.most));
  }
}

/// The weighted error of 16 values against q is least at scale = xq / qq.
struct Projection {
  float xq = 0, qq = 0;
};

Projection project(const float* x, float factor) {
  Projection p;
  for (int i = 0; i < 16; ++i) {
    const auto l = static_cast<float>(nearest_in(factor * x[i], -32, 31));
    const float w = x[i] * x[i];
    p.xq += w * x[i] * l;
    p.qq += w * l * l;
  }
  return p;
}

/// Sixteen values as scale * (q - 32); nineteen step sizes around the one that fits the extreme.
float symmetric_group(const float* x, std::uint8_t* q) {
  float extreme = 0, magnitude = 0;
  for (int i = 0; i < 16; ++i) {
    if (std::fabs(x[i]) > magnitude) {
      magnitude = std::fabs(x[i]);
      extreme = x[i];
    }
  }
  if (magnitude < kTiny) {
    std::memset(q, 0, 16);
    return 0.0f;
  }
  const auto round_all = [&](float factor) {
    for (int i = 0; i < 16; ++i)
      q[i] = static_cast<std::uint8_t>(32 + nearest_in(factor * x[i], -32, 31));
  };
  const float first = -32.0f / extreme;
  round_all(first);
  Projection p = project(x, first);
  float scale = p.qq != 0 ? p.xq / p.qq : 0.0f, best = scale * p.xq;
  for (int i = -9; i <= 9; ++i) {
    if (i == 0) continue;
    const float factor = -(32.0f + 0.1f * static_cast<float>(i)) / extreme;
    p = project(x, factor);
    if (!(p.qq > 0 && p.xq * p.xq > best * p.qq)) continue;
    round_all(factor);
    scale = p.xq / p.qq;
    best = scale * p.xq;
  }
  return scale;
}

/// 256 six-bit numbers in their two planes.
void write_six_bits(const std::uint8_t* q, std::uint8_t* low, std::uint8_t* high) {
  for (int half = 0; half < 2; ++half) {
    const std::uint8_t* e = q + 128 * half;
    for (int i = 0; i < 32; ++i) {
      low[64 * half + i] = static_cast<std::uint8_t>((e[i] & 15) | (e[i + 64] & 15) << 4);
      low[64 * half + 32 + i] = static_cast<std::uint8_t>((e[i + 32] & 15) | (e[i + 96] & 15) << 4);
      high[32 * half + i] = static_cast<std::uint8_t>(e[i] >> 4 | e[i + 32] >> 4 << 2 |
                                                      e[i + 64] >> 4 << 4 | e[i + 96] >> 4 << 6);
    }
  }
}

void write_group_nibbles(const std::uint8_t* q, std::uint8_t* p) {
  for (int e = 0; e < 256; e += 64)
    for (int i = 0; i < 32; ++i)
      *p++ = static_cast<std::uint8_t>((q[e + i] & 15) | (q[e + 32 + i] & 15) << 4);
}

}  // namespace

void search_q4_k(const float* x, std::uint8_t* block) {
  std::uint8_t q[256];
  std::memset(block, 0, static_cast<std::size_t>(block_bytes(QuantType::q4_k)));
  affine_groups(x, {.most = 15, .from = -1.0f, .tries = 20}, block, q);
  write_group_nibbles(q, block + 16);
}

void search_q5_k(const float* x, std::uint8_t* block) {
  std::uint8_t q[256];
  std::memset(block, 0, static_cast<std::size_t>(block_bytes(QuantType::q5_k)));
  affine_groups(x, {.most = 31, .from = -0.5f, .tries = 15}, block, q);
  for (int e = 0; e < 256; ++e)
    block[16 + e % 32] = static_cast<std::uint8_t>(block[16 + e % 32] | (q[e] >> 4) << (e / 32));
  write_group_nibbles(q, block + 48);
}

void search_q6_k(const float* x, std::uint8_t* block) {
  std::uint8_t q[256];
  float scales[16], magnitude = 0, extreme = 0;
  for (int g = 0; g < 16; ++g) {
    scales[g] = symmetric_group(x + 16 * g, q + 16 * g);
    if (std::fabs(scales[g]) > magnitude) {
      magnitude = std::fabs(scales[g]);
      extreme = scales[g];
    }
  }
  std::memset(block, 0, 210);
  if (magnitude < kTiny) return;
  const float factor = -128.0f / extreme;
  const float d = round_to_f16(block + 208, 1 / factor);
  for (int g = 0; g < 16; ++g) {
    const int s = std::min(127, nearest(factor * scales[g]));
    block[192 + g] = static_cast<std::uint8_t>(s);
    const float scale = d * static_cast<float>(static_cast<std::int8_t>(s));
    if (scale == 0) continue;
    for (int i = 16 * g; i < 16 * g + 16; ++i)
      q[i] = static_cast<std::uint8_t>(32 + nearest_in(x[i] / scale, -32, 31));
  }
  write_six_bits(q, block, block + 128);
}

}  // namespace lathe::kernels::reference
