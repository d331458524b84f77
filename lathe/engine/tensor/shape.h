// Dimensions of a tensor: at most kMaxRank of them, held inline.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "lathe/engine/tensor/view.h"

namespace lathe {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) { assign({dims.begin(), dims.size()}); }
  explicit Shape(std::span<const std::int64_t> dims) { assign(dims); }

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return dims_[axis]; }
  std::int64_t& operator[](int axis) { return dims_[axis]; }
  /// Counted from the end for negative axes: back(-1) is the last dimension.
  std::int64_t at(int axis) const { return dims_[axis < 0 ? axis + rank_ : axis]; }
  const std::int64_t* begin() const { return dims_.data(); }
  const std::int64_t* end() const { return dims_.data() + rank_; }

  std::int64_t count() const {
    std::int64_t n = 1;
    for (const std::int64_t d : *this) n *= d;
    return n;
  }

  /// Throws ShapeMismatch beyond kMaxRank dimensions.
  void push_back(std::int64_t dim);

  friend bool operator==(const Shape& a, const Shape& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  void assign(std::span<const std::int64_t> dims);

  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// "[2,3]"
std::string to_string(const Shape& shape);

/// The shape both broadcast to (NumPy rule). Throws ShapeMismatch naming `subject`.
Shape broadcast(const Shape& a, const Shape& b, const char* subject);

}  // namespace lathe
