// Drawn inputs of an op's samples, and what a call of it gives.
#pragma once

#include <cmath>
#include <cstring>
#include <vector>

#include "lathe/base/random.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {

/// Inputs of a sample in a float type; drawn once per (op, sample, input), so runs repeat.
inline std::vector<Tensor> draw(const OpDef& def, const Sample& sample, std::size_t index,
                                DType type) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    const TensorSpec& spec = sample.inputs[i];
    const RandomStream random(17, fmt::format("{}/{}/{}", def.name, index, i));
    const auto n = static_cast<std::size_t>(spec.shape.count());
    if (is_float(spec.dtype)) {
      std::vector<double> values(n);
      for (std::size_t k = 0; k < n; ++k)
        values[k] = sample.low + (sample.high - sample.low) * random.uniform(k);
      const DType as = spec.dtype == DType::f32 ? type : spec.dtype;
      inputs.push_back(cast(Tensor::from(std::span<const double>(values), spec.shape), as));
    } else {
      std::vector<std::int32_t> values(n);
      for (std::size_t k = 0; k < n; ++k)
        values[k] = static_cast<std::int32_t>(
            random.below(static_cast<std::uint64_t>(sample.integer_below), k));
      inputs.push_back(
          cast(Tensor::from(std::span<const std::int32_t>(values), spec.shape), spec.dtype));
    }
  }
  if (sample.adjust) sample.adjust(inputs);
  return inputs;
}

/// Everything that a call gives: outputs, and the inputs that it writes.
inline std::vector<Tensor> call(const OpDef& def, std::vector<Tensor> inputs, const Attrs& attrs) {
  for (int i = 0; i < def.writes; ++i) {
    Tensor& in = inputs[static_cast<std::size_t>(i)];
    if (!in.defined()) continue;  // not wanted
    const Tensor copy = Tensor::empty(in.shape(), in.dtype());
    copy_(copy, in);
    in = copy;
  }
  const Outputs out = apply(def, inputs, attrs);
  std::vector<Tensor> all;
  for (int i = 0; i < out.size(); ++i) all.push_back(contiguous(out[i]));
  for (int i = 0; i < def.writes; ++i)
    if (const Tensor& in = inputs[static_cast<std::size_t>(i)]; in.defined()) all.push_back(in);
  return all;
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  if (a.dtype() != DType::f32)
    return a.bytes() == 0 || std::memcmp(a.bytes_begin(), b.bytes_begin(), a.bytes()) == 0;
  for (std::int64_t i = 0; i < a.count(); ++i) {
    const float x = a.data<float>()[i], y = b.data<float>()[i];
    if (std::isnan(x) && std::isnan(y)) continue;
    if (std::memcmp(&x, &y, 4) != 0) return false;
  }
  return true;
}

}  // namespace lathe::ops
