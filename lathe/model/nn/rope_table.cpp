#include "lathe/model/nn/rope_table.h"

#include <cmath>

namespace lathe::nn {

const ops::RopeTable& RopeCache::upto(std::int64_t positions, Device device) {
  if (table_.cos.defined() && table_.cos.dim(0) >= positions && table_.cos.device() == device)
    return table_;
  std::int64_t rows = 64;
  while (rows < positions) rows *= 2;
  const std::int64_t half = rotated_ / 2;
  table_.cos = Tensor::empty({rows, half}, DType::f32, device);
  table_.sin = Tensor::empty({rows, half}, DType::f32, device);
  if (device == Device::meta) return table_;
  for (std::int64_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(rotated_);
    const float inverse = 1.0f / std::pow(static_cast<float>(theta_), exponent);
    for (std::int64_t p = 0; p < rows; ++p) {
      const double angle = static_cast<float>(p) * inverse;
      table_.cos.data<float>()[p * half + i] = static_cast<float>(std::cos(angle));
      table_.sin.data<float>()[p * half + i] = static_cast<float>(std::sin(angle));
    }
  }
  return table_;
}

}  // namespace lathe::nn
