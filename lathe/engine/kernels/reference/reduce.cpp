#include "lathe/engine/kernels/reduce.h"

#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

/// Some of the dimensions of x with the strides of x and out, walked in row-major order.
struct Axes {
  int rank = 0;
  std::int64_t dims[kMaxRank] = {}, x_strides[kMaxRank] = {}, out_strides[kMaxRank] = {};

  void append(std::int64_t size, std::int64_t x_stride, std::int64_t out_stride) {
    dims[rank] = size, x_strides[rank] = x_stride, out_strides[rank] = out_stride;
    ++rank;
  }
  std::int64_t count() const {
    std::int64_t n = 1;
    for (int d = 0; d < rank; ++d) n *= dims[d];
    return n;
  }
  std::int64_t offset(std::int64_t k, const std::int64_t (&strides)[kMaxRank]) const {
    std::int64_t offset = 0;
    for (int d = rank - 1; d >= 0; --d) offset += k % dims[d] * strides[d], k /= dims[d];
    return offset;
  }
};

struct Split {
  Axes kept, slices, row;
};

/// Dimensions from last to first: reduced ones belong to the row until a kept one is met.
Split split(const ReduceArgs& a) {
  bool is_kept[kMaxRank] = {}, in_row[kMaxRank] = {}, at_end = true;
  const int shift = a.x.rank - a.out.rank;
  for (int d = a.x.rank - 1; d >= 0; --d) {
    if (a.x.dims[d] == 1) continue;
    is_kept[d] = d >= shift && a.out.dims[d - shift] != 1;
    at_end = at_end && !is_kept[d];
    in_row[d] = at_end;
  }
  Split s;
  for (int d = 0; d < a.x.rank; ++d) {
    if (a.x.dims[d] == 1) continue;
    Axes& axes = is_kept[d] ? s.kept : in_row[d] ? s.row : s.slices;
    axes.append(a.x.dims[d], a.x.strides[d], is_kept[d] ? a.out.strides[d - shift] : 0);
  }
  return s;
}

template <typename T>
T row_value(const ReduceArgs& a, const Axes& row, std::int64_t start) {
  if (row.rank == 0) return get<T>(a.x, start);
  const auto at = [&](std::int64_t i) { return get<T>(a.x, start + row.offset(i, row.x_strides)); };
  if (a.op == Reduce::max) return lane_max<T>(row.count(), at);
  return lane_sum<T>(row.count(), [&](T s, std::int64_t i) { return s + at(i); });
}

template <typename T>
void run(const ReduceArgs& a) {
  const Split s = split(a);
  const T count = static_cast<T>(s.slices.count() * s.row.count());
  for (std::int64_t k = 0; k < s.kept.count(); ++k) {
    const std::int64_t to = s.kept.offset(k, s.kept.out_strides);
    const std::int64_t from = s.kept.offset(k, s.kept.x_strides);
    T acc = a.op == Reduce::max ? -infinity<T>() : T{0};
    if (a.accumulate) acc = get<T>(a.out, to);
    for (std::int64_t i = 0; i < s.slices.count(); ++i) {
      const T value = row_value<T>(a, s.row, from + s.slices.offset(i, s.slices.x_strides));
      acc = a.op == Reduce::max ? larger_of(acc, value) : acc + value;
    }
    put(a.out, to, a.op == Reduce::mean ? acc / count : acc);
  }
}

}  // namespace

void reduce(const ReduceArgs& args) noexcept {
  args.x.dtype == DType::f64 ? run<double>(args) : run<float>(args);
}

}  // namespace lathe::kernels::reference
