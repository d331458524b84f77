#include "lathe/engine/tensor/shape.h"

#include "lathe/base/error.h"

namespace lathe {

void Shape::assign(std::span<const std::int64_t> dims) {
  for (const std::int64_t d : dims) push_back(d);
}

void Shape::push_back(std::int64_t dim) {
  if (rank_ == kMaxRank)
    fail(ErrorCode::kShapeMismatch, "shape: expected at most {} dimensions, got more", kMaxRank);
  if (dim < 0)
    fail(ErrorCode::kShapeMismatch, "shape: expected dimensions of 0 or more, got {}", dim);
  dims_[rank_++] = dim;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

Shape broadcast(const Shape& a, const Shape& b, const char* subject) {
  Shape out;
  const int rank = std::max(a.rank(), b.rank());
  for (int i = 0; i < rank; ++i) {
    const std::int64_t x = i < rank - a.rank() ? 1 : a[i - (rank - a.rank())];
    const std::int64_t y = i < rank - b.rank() ? 1 : b[i - (rank - b.rank())];
    if (x != y && x != 1 && y != 1)
      fail(ErrorCode::kShapeMismatch, "{}: shapes {} and {} do not broadcast", subject,
           to_string(a), to_string(b));
    out.push_back(x == 1 ? y : x);
  }
  return out;
}

}  // namespace lathe
