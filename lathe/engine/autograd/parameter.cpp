#include "lathe/engine/autograd/parameter.h"

#include "lathe/base/error.h"
#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::autograd {

void Parameter::allocate(DType compute, Device device) {
  master_ = Tensor::empty(shape_, DType::f32, device);
  const bool shadowed = role_ != Role::vector && compute != DType::f32;
  make_handles(shadowed ? Tensor::empty(shape_, compute, device) : master_);
}

void Parameter::make_handles(const Tensor& value) {
  handles_.assign(1, value);
  for (int use = 1; use < uses_; ++use) handles_.push_back(value.alias());
}

void Parameter::initialise(std::uint64_t seed) {
  if (!master_.has_data()) return;  // meta
  if (init_.kind != Init::Kind::normal) {
    ops::fill_(master_, init_.kind == Init::Kind::ones ? 1.0 : 0.0);
  } else {
    const RandomStream stream(seed, "init/" + name_);
    float* data = master_.data<float>();
    parallel_for(master_.count(), 4096, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        data[i] = static_cast<float>(init_.std * stream.normal(static_cast<std::uint64_t>(i)));
    });
  }
  refresh_value();
}

void Parameter::allocate_gradients() {
  accumulators_.clear();
  for (int use = 0; use < uses_; ++use)
    accumulators_.push_back(Tensor::zeros(shape_, DType::f32, master_.device()));
}

void Parameter::load(const Tensor& weights) {
  if (weights.shape() != shape_)
    fail(ErrorCode::kShapeMismatch, "{}: expected {}, the file has {}", name_, to_string(shape_),
         to_string(weights.shape()));
  ops::copy_(master_, weights);
  refresh_value();
}

void Parameter::refresh_value() {
  const Tensor to = shadow();
  if (to.defined()) ops::copy_(to, master_);
}

}  // namespace lathe::autograd
