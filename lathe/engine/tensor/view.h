// What crosses from tensors into kernels: a pointer with dimensions. No ownership, no methods that
// allocate or throw.
#pragma once

#include <cstdint>

#include "lathe/engine/tensor/dtype.h"

namespace lathe {

constexpr int kMaxRank = 6;

struct View {
  void* data = nullptr;
  std::int64_t dims[kMaxRank] = {};
  std::int64_t strides[kMaxRank] = {};  // in elements
  int rank = 0;
  DType dtype = DType::f32;

  bool empty() const { return data == nullptr && rank == 0; }  // an absent optional argument

  std::int64_t count() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }

  bool contiguous() const {
    std::int64_t expected = 1;
    for (int i = rank - 1; i >= 0; --i) {
      if (dims[i] != 1 && strides[i] != expected) return false;
      expected *= dims[i];
    }
    return true;
  }
};

}  // namespace lathe
