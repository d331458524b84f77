#include "lathe/engine/tensor/tensor.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

#include "lathe/base/error.h"

namespace lathe {
namespace {

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> counter{1};
  return counter.fetch_add(1, std::memory_order_relaxed);
}

void set_contiguous(const Shape& shape, std::int64_t* strides) {
  std::int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i];
  }
}

double half_to_double(std::uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  double value = 0;
  if (exponent == 31) {
    value = mantissa ? NAN : INFINITY;
  } else if (exponent == 0) {
    value = std::ldexp(mantissa, -24);
  } else {
    value = std::ldexp(mantissa + 1024, exponent - 25);
  }
  return h >> 15 ? -value : value;
}

template <typename Out>
std::vector<Out> copy_values(const Tensor& t) {
  if (!t.defined() || !t.has_data() || !t.contiguous())
    fail(ErrorCode::kInvalidArgument, "tensor: expected contiguous values to read, got {}",
         t.defined() ? describe(t) : "no tensor");
  std::vector<Out> out(static_cast<std::size_t>(t.count()));
  const auto fill = [&](auto* p, auto convert) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Out>(convert(p[i]));
  };
  switch (t.dtype()) {
    case DType::f32:
      fill(t.data<float>(), [](float x) { return x; });
      break;
    case DType::f64:
      fill(t.data<double>(), [](double x) { return x; });
      break;
    case DType::bf16:
      fill(t.data<bf16_t>(), [](bf16_t x) { return to_f32(x); });
      break;
    case DType::f16:
      fill(t.data<std::uint16_t>(), half_to_double);
      break;
    case DType::i32:
      fill(t.data<std::int32_t>(), [](std::int32_t x) { return x; });
      break;
    case DType::i8:
      fill(t.data<std::int8_t>(), [](std::int8_t x) { return x; });
      break;
    default:
      fill(t.data<std::uint8_t>(), [](std::uint8_t x) { return x; });
      break;
  }
  return out;
}

}  // namespace

std::shared_ptr<Tensor::Impl> Tensor::make_impl(const Shape& shape, DType dtype, Device device) {
  auto impl = std::make_shared<Impl>();
  impl->shape = shape;
  impl->dtype = dtype;
  impl->device = device;
  impl->id = next_id();
  set_contiguous(shape, impl->strides);
  return impl;
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  auto impl = make_impl(shape, dtype, device);
  impl->storage =
      Storage::allocate(static_cast<std::size_t>(shape.count()) * size_of(dtype), device);
  return Tensor(std::move(impl));
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  if (t.has_data()) std::memset(t.bytes_begin(), 0, t.bytes());
  return t;
}

namespace {
template <typename T>
Tensor copy_of(std::span<const T> values, const Shape& shape, DType dtype) {
  if (static_cast<std::int64_t>(values.size()) != shape.count())
    fail(ErrorCode::kShapeMismatch, "tensor: expected {} values for shape {}, got {}",
         shape.count(), to_string(shape), values.size());
  Tensor t = Tensor::empty(shape, dtype);
  if (!values.empty()) std::memcpy(t.bytes_begin(), values.data(), t.bytes());
  return t;
}
}  // namespace

Tensor Tensor::from(std::span<const float> values, const Shape& shape) {
  return copy_of(values, shape, DType::f32);
}
Tensor Tensor::from(std::span<const double> values, const Shape& shape) {
  return copy_of(values, shape, DType::f64);
}
Tensor Tensor::from(std::span<const std::int32_t> values, const Shape& shape) {
  return copy_of(values, shape, DType::i32);
}

Tensor Tensor::over(std::shared_ptr<Storage> storage, std::size_t offset, const Shape& shape,
                    DType dtype) {
  const std::size_t needed = static_cast<std::size_t>(shape.count()) * size_of(dtype);
  if (offset > storage->bytes() || needed > storage->bytes() - offset ||
      offset % size_of(dtype) != 0)
    fail(ErrorCode::kInvalidArgument, "tensor: {} bytes at offset {} do not fit {} bytes", needed,
         offset, storage->bytes());
  auto impl = make_impl(shape, dtype, storage->device());
  impl->offset = static_cast<std::int64_t>(offset / size_of(dtype));
  impl->storage = std::move(storage);
  return Tensor(std::move(impl));
}

bool Tensor::contiguous() const { return view().contiguous(); }

Tensor Tensor::alias(const Shape& shape, std::span<const std::int64_t> strides,
                     std::int64_t offset_elements) const {
  auto impl = make_impl(shape, dtype(), device());
  for (int i = 0; i < shape.rank(); ++i) impl->strides[i] = strides[i];
  impl->offset = impl_->offset + offset_elements;
  impl->storage = impl_->storage;
  return Tensor(std::move(impl));
}

Tensor Tensor::alias() const { return alias(shape(), {impl_->strides, kMaxRank}, 0); }

Tensor Tensor::shell() const {
  auto impl = std::make_shared<Impl>(*impl_);
  impl->storage = nullptr;
  return Tensor(std::move(impl));
}

Tensor Tensor::refilled(const Tensor& values) const {
  if (values.shape() != shape() || values.dtype() != dtype())
    fail(ErrorCode::kShapeMismatch, "tensor: expected {} to fill a shell, got {}", describe(*this),
         describe(values));
  auto impl = std::make_shared<Impl>(*values.impl_);
  impl->id = impl_->id;
  return Tensor(std::move(impl));
}

std::byte* Tensor::bytes_begin() const {
  if (!has_data()) return nullptr;
  return impl_->storage->data() + impl_->offset * static_cast<std::int64_t>(size_of(dtype()));
}

View Tensor::view() const {
  View v;
  v.data = bytes_begin();
  v.rank = rank();
  v.dtype = dtype();
  for (int i = 0; i < v.rank; ++i) {
    v.dims[i] = impl_->shape[i];
    v.strides[i] = impl_->strides[i];
  }
  return v;
}

std::vector<float> Tensor::to_floats() const { return copy_values<float>(*this); }
std::vector<double> Tensor::to_doubles() const { return copy_values<double>(*this); }

double Tensor::item() const {
  if (!defined() || count() != 1)
    fail(ErrorCode::kInvalidArgument, "tensor: expected one element, got {}",
         defined() ? describe(*this) : "no tensor");
  return to_doubles()[0];
}

std::string describe(const Tensor& tensor) {
  return std::string(name(tensor.dtype())) + " " + to_string(tensor.shape());
}

}  // namespace lathe
