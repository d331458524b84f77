// A shared handle to strided memory on a device. Immutable by convention: only ops whose name ends
// in '_' write into one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lathe/engine/tensor/dtype.h"
#include "lathe/engine/tensor/shape.h"
#include "lathe/engine/tensor/storage.h"
#include "lathe/engine/tensor/view.h"

namespace lathe {

class Tensor {
 public:
  /// No tensor: defined() is false (an absent optional input).
  Tensor() = default;

  /// Contents undefined. Throws OutOfMemory, ShapeMismatch.
  static Tensor empty(const Shape& shape, DType dtype, Device device = Device::cpu);
  static Tensor zeros(const Shape& shape, DType dtype, Device device = Device::cpu);
  /// A copy of host values.
  static Tensor from(std::span<const float> values, const Shape& shape);
  static Tensor from(std::span<const double> values, const Shape& shape);
  static Tensor from(std::span<const std::int32_t> values, const Shape& shape);
  static Tensor scalar(float value) { return from(std::span<const float>(&value, 1), {}); }
  /// A contiguous tensor over existing storage (a mapped file), `offset` in bytes.
  static Tensor over(std::shared_ptr<Storage> storage, std::size_t offset, const Shape& shape,
                     DType dtype);

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl_->shape; }
  int rank() const { return impl_->shape.rank(); }
  /// Size of an axis; negative axes count from the end.
  std::int64_t dim(int axis) const { return impl_->shape.at(axis); }
  std::int64_t count() const { return impl_->shape.count(); }
  std::int64_t stride(int axis) const { return impl_->strides[axis < 0 ? axis + rank() : axis]; }
  /// Elements between the start of the storage and element 0.
  std::int64_t offset() const { return impl_->offset; }
  DType dtype() const { return impl_->dtype; }
  Device device() const { return impl_->device; }
  std::size_t bytes() const { return static_cast<std::size_t>(count()) * size_of(dtype()); }
  bool contiguous() const;

  /// Differs for every handle that an op made; aliases of one memory have different ids. The tape
  /// keys gradients by it.
  std::uint64_t id() const { return impl_->id; }

  /// Another handle (another id) with the same memory, seen through other dimensions.
  Tensor alias(const Shape& shape, std::span<const std::int64_t> strides,
               std::int64_t offset_elements) const;
  Tensor alias() const;

  /// Same id, shape and dtype but no memory: what the tape keeps when a vjp needs only the shape.
  Tensor shell() const;
  /// A shell with memory again: the values of `values`, which has the same shape and type.
  Tensor refilled(const Tensor& values) const;
  /// True where there is memory to read (not meta, not a shell).
  bool has_data() const { return impl_ && impl_->storage && impl_->storage->data() != nullptr; }

  View view() const;
  template <typename T>
  T* data() const {
    return reinterpret_cast<T*>(bytes_begin());
  }
  std::byte* bytes_begin() const;
  const std::shared_ptr<Storage>& storage() const { return impl_->storage; }

  /// The values of a contiguous tensor as floats or doubles, whatever float type it has. Throws
  /// InvalidArgument on integers, meta tensors and strided ones.
  std::vector<float> to_floats() const;
  std::vector<double> to_doubles() const;
  /// The one value of a one-element tensor.
  double item() const;

 private:
  struct Impl {
    std::shared_ptr<Storage> storage;
    Shape shape;
    std::int64_t strides[kMaxRank] = {};
    std::int64_t offset = 0;  // elements
    DType dtype = DType::f32;
    Device device = Device::cpu;
    std::uint64_t id = 0;
  };

  explicit Tensor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  static std::shared_ptr<Impl> make_impl(const Shape& shape, DType dtype, Device device);

  std::shared_ptr<Impl> impl_;
};

/// "f32 [2,3]" for messages.
std::string describe(const Tensor& tensor);

}  // namespace lathe
