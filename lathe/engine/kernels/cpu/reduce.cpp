#include "lathe/engine/kernels/reduce.h"

#include "lathe/engine/kernels/cpu/strided.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

/// Some of the dimensions of x, neighbours merged, with the strides of x and out.
struct Axes {
  int rank = 0;
  std::int64_t dims[kMaxRank] = {}, x_strides[kMaxRank] = {}, out_strides[kMaxRank] = {};

  void append(std::int64_t size, std::int64_t x_stride, std::int64_t out_stride) {
    if (rank > 0 && x_strides[rank - 1] == x_stride * size &&
        out_strides[rank - 1] == out_stride * size) {
      --rank;
      size *= dims[rank];
    }
    dims[rank] = size, x_strides[rank] = x_stride, out_strides[rank] = out_stride;
    ++rank;
  }
  std::int64_t count() const {
    std::int64_t n = 1;
    for (int d = 0; d < rank; ++d) n *= dims[d];
    return n;
  }
  std::int64_t offset(std::int64_t k, const std::int64_t (&strides)[kMaxRank]) const {
    if (rank == 1) return k * strides[0];
    std::int64_t offset = 0;
    for (int d = rank - 1; d >= 0; --d) offset += k % dims[d] * strides[d], k /= dims[d];
    return offset;
  }
};

struct Split {
  Axes kept, slices, row;

  /// Dimensions from last to first: reduced ones belong to the row until a kept one is met.
  explicit Split(const ReduceArgs& a) {
    const int shift = a.x.rank - a.out.rank;
    const auto is_kept = [&](int d) { return d >= shift && a.out.dims[d - shift] != 1; };
    int row_begin = a.x.rank;
    while (row_begin > 0 && (a.x.dims[row_begin - 1] == 1 || !is_kept(row_begin - 1))) --row_begin;
    for (int d = 0; d < a.x.rank; ++d) {
      if (a.x.dims[d] == 1) continue;
      if (d >= row_begin) {
        row.append(a.x.dims[d], a.x.strides[d], 0);
      } else if (is_kept(d)) {
        kept.append(a.x.dims[d], a.x.strides[d], a.out.strides[d - shift]);
      } else {
        slices.append(a.x.dims[d], a.x.strides[d], 0);
      }
    }
  }
};

inline F32x16 join(Reduce op, F32x16 acc, F32x16 x) {
  return op == Reduce::max ? larger_of(acc, x) : acc + x;
}

float row_value(const ReduceArgs& a, const Axes& row, std::int64_t start) {
  const Line line(a.x, start, row.x_strides[0]);
  if (a.op == Reduce::max)
    return lane_max(row.dims[0], [&](std::int64_t i, auto n) { return line.at(i, n); });
  return lane_sum(row.dims[0], [&](F32x16 s, std::int64_t i, auto n) { return s + line.at(i, n); });
}

/// The reduced dimensions at the end lie in one line: each output is a sum of line sums.
void reduce_rows(const ReduceArgs& a, const Split& s) {
  const std::int64_t slices = s.slices.count(), each = slices * s.row.count();
  const float start = a.op == Reduce::max ? -std::numeric_limits<float>::infinity() : 0.0f;
  parallel_for(s.kept.count(), row_grain(each), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      const Line out(a.out, s.kept.offset(k, s.kept.out_strides), 1);
      const std::int64_t from = s.kept.offset(k, s.kept.x_strides);
      F32x16 acc = a.accumulate ? out.at(0, 1) : splat(start);
      for (std::int64_t i = 0; i < slices; ++i) {
        const float value = row_value(a, s.row, from + s.slices.offset(i, s.slices.x_strides));
        acc = join(a.op, acc, splat(value));
      }
      if (a.op == Reduce::mean) acc = acc / splat(static_cast<float>(each));
      out.set(0, acc, 1);
    }
  });
}

/// Up to kColumnGrain neighbouring outputs: one chain over the slices each.
void reduce_piece(const ReduceArgs& a, const Split& s, const Line& out, std::int64_t from,
                  std::int64_t columns) {
  const std::int64_t slices = s.slices.count();
  const std::int64_t stride = s.kept.x_strides[s.kept.rank - 1];
  const float start = a.op == Reduce::max ? -std::numeric_limits<float>::infinity() : 0.0f;
  alignas(64) float sums[kColumnGrain];
  each16(columns, [&](std::int64_t i, auto n) {
    store(sums + i, a.accumulate ? out.at(i, n) : splat(start));
  });
  column_blocks(slices, columns,
                [&](std::int64_t first, std::int64_t last, std::int64_t i, auto n) {
                  F32x16 acc = load(sums + i);
                  for (std::int64_t r = first; r < last; ++r) {
                    const Line x(a.x, from + s.slices.offset(r, s.slices.x_strides), stride);
                    acc = join(a.op, acc, x.at(i, n));
                  }
                  store(sums + i, acc);
                });
  const F32x16 count = splat(static_cast<float>(slices));
  each16(columns, [&](std::int64_t i, auto n) {
    const F32x16 acc = load(sums + i);
    out.set(i, a.op == Reduce::mean ? acc / count : acc, n);
  });
}

/// The last dimension is kept: vectors run across outputs.
void reduce_columns(const ReduceArgs& a, const Split& s) {
  const int last = s.kept.rank - 1;
  const std::int64_t columns = s.kept.dims[last];
  const std::int64_t pieces = (columns + kColumnGrain - 1) / kColumnGrain;
  const std::int64_t units = s.kept.count() / std::max<std::int64_t>(columns, 1) * pieces;
  parallel_for(
      units, row_grain(kColumnGrain * s.slices.count()), [&](std::int64_t first, std::int64_t end) {
        for (std::int64_t u = first; u < end; ++u) {
          const std::int64_t begin = u % pieces * kColumnGrain;
          const std::int64_t k = u / pieces * columns + begin;
          const Line out(a.out, s.kept.offset(k, s.kept.out_strides), s.kept.out_strides[last]);
          reduce_piece(a, s, out, s.kept.offset(k, s.kept.x_strides),
                       std::min(columns - begin, kColumnGrain));
        }
      });
}

}  // namespace

void reduce(const ReduceArgs& args) noexcept {
  const Split s(args);
  const bool plain = has_lanes(args.x) && has_lanes(args.out);
  if (!plain || s.row.rank > 1 || s.row.rank + s.kept.rank == 0) return reference::reduce(args);
  s.row.rank == 1 ? reduce_rows(args, s) : reduce_columns(args, s);
}

}  // namespace lathe::kernels::LATHE_ISA
