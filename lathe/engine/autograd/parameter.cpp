#include "lathe/engine/autograd/parameter.h"

#include "lathe/base/error.h"
#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/engine/autograd/tape.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::autograd {

void Parameter::allocate(DType compute, Device device) {
  state_ = {};
  quantised_.reset();
  if (role_ == Role::vector || compute != DType::bf16) {
    state_.whole = Tensor::empty(shape_, DType::f32, device);
    return make_handles(state_.whole);
  }
  state_.value = Tensor::empty(shape_, DType::bf16, device);
  state_.rest = Tensor::empty({shape_.count(), 2}, DType::u8, device);
  make_handles(state_.value);
}

void Parameter::make_handles(const Tensor& value) {
  codes_ = {};
  handles_.assign(1, value);
  for (int use = 1; use < uses_; ++use) handles_.push_back(value.alias());
}

void Parameter::initialise(std::uint64_t seed) {
  if (!handles_[0].has_data()) return;  // meta
  Tensor start =
      state_.whole.defined() ? state_.whole : Tensor::empty(shape_, DType::f32, device());
  if (init_.kind != Init::Kind::normal) {
    ops::fill_(start, init_.kind == Init::Kind::ones ? 1.0 : 0.0);
  } else {
    const RandomStream stream(seed, "init/" + name_);
    float* data = start.data<float>();
    parallel_for(start.count(), 4096, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        data[i] = static_cast<float>(init_.std * stream.normal(static_cast<std::uint64_t>(i)));
    });
  }
  if (!state_.whole.defined()) ops::split_master_(state_, start);
}

void Parameter::allocate_gradients(std::int64_t tokens) {
  accumulators_.clear();
  rows_.reset();
  if (role_ == Role::embedding && uses_ > 1) {
    rows_ = std::make_unique<RowSum>(shape_, tokens > 0 ? tokens : shape_[0], device());
    accumulators_.emplace_back();
  }
  while (std::ssize(accumulators_) < uses_)
    accumulators_.push_back(Tensor::zeros(shape_, DType::f32, device()));
}

void Parameter::clear_gradients() {
  if (rows_) rows_->clear();
  for (const Tensor& sum : accumulators_)
    if (sum.defined()) ops::fill_(sum, 0.0);
}

void Parameter::watch(Tape& tape) const {
  for (int use = 0; use < uses_; ++use) {
    if (use == 0 && rows_) {
      tape.watch_rows(value(), rows_.get());
    } else {
      tape.watch(value(use), accumulator(use));
    }
  }
}

void Parameter::merge_uses() {
  const Tensor& total = gradient();
  if (rows_) rows_->add_to(total);
  for (int use = rows_ ? 2 : 1; use < uses_; ++use) ops::add_acc_(total, accumulator(use));
}

void Parameter::expect_shape(const Tensor& weights) const {
  if (weights.shape() != shape_)
    fail(ErrorCode::kShapeMismatch, "{}: expected {}, the file has {}", name_, to_string(shape_),
         to_string(weights.shape()));
}

void Parameter::load(const Tensor& weights) {
  expect_shape(weights);
  set_master(weights);
}

void Parameter::adopt(const Tensor& weights, DType compute) {
  expect_shape(weights);
  state_ = {};
  quantised_.reset();
  DType type = weights.dtype();
  if (role_ == Role::vector || (type != DType::bf16 && compute != DType::bf16)) type = DType::f32;
  if (role_ != Role::vector && compute == DType::bf16) type = DType::bf16;
  Tensor value = weights;
  if (weights.dtype() != type) {
    value = Tensor::empty(shape_, type);
    if (type == DType::bf16 && weights.dtype() == DType::f32) {
      // Rounded as masters are: what was trained in bf16 is what is served.
      ops::split_master_({.value = value, .rest = Tensor::empty({shape_.count(), 2}, DType::u8)},
                         weights);
    } else {
      ops::copy_(value, weights);
    }
  }
  trainable_ = false;
  make_handles(value);
}

void Parameter::load_quantised(const Tensor& blocks, kernels::QuantType type) {
  if (role_ == Role::vector || shape_.rank() != 2)
    fail(ErrorCode::kUnsupported, "{}: expected a matrix for {} blocks, it is {}", name_,
         kernels::name(type), to_string(shape_));
  const bool whole = blocks.rank() == 2 && blocks.dtype() == DType::u8 &&
                     blocks.dim(1) % kernels::block_bytes(type) == 0;
  const Shape rows =
      whole ? Shape{blocks.dim(0), kernels::row_elements(type, blocks.dim(1))} : blocks.shape();
  const Shape turned{shape_[1], shape_[0]};  // [in,out], see the declaration
  if (!whole || (rows != shape_ && (role_ != Role::matrix || rows != turned)))
    fail(ErrorCode::kShapeMismatch, "{}: expected {}, the file has {} blocks of {}", name_,
         to_string(shape_), kernels::name(type), to_string(rows));
  state_ = {};
  quantised_ = Quantised{.type = type};
  trainable_ = false;
  make_handles(blocks);
}

void Parameter::encode() {
  if (trainable_ || codes_.defined() || !rows_are_outputs_ || !value().has_data() ||
      value().storage()->pages() != Storage::Pages::of_file)
    return;
  codes_ = ops::bf16_codes(value());
  if (codes_.defined()) leave();
}

void Parameter::leave() const {
  const Tensor& x = value();
  if (!x.has_data() || !x.contiguous()) return;
  const auto begin = x.bytes_begin() - x.storage()->data();
  x.storage()->leave(static_cast<std::size_t>(begin), x.bytes());
}

void Parameter::set_master(const Tensor& master) {
  codes_ = {};
  if (state_.whole.defined()) {
    if (master.id() != state_.whole.id()) ops::copy_(state_.whole, master);  // else: in place
    return;
  }
  if (master.dtype() == DType::f32 && master.contiguous())
    return ops::split_master_(state_, master);
  const Tensor wide = Tensor::empty(shape_, DType::f32, device());
  ops::copy_(wide, master);
  ops::split_master_(state_, wide);
}

}  // namespace lathe::autograd
