#include "lathe/engine/kernels/movement.h"

#include <cstring>

#include "lathe/engine/kernels/cpu/strided.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

constexpr std::int64_t kTile = 32;  // 32 x 32 elements of 8 bytes fill a quarter of the L1 cache

/// The dimension other than the innermost in which x has unit stride, or -1: then this copy is a
/// transposition and walks tiles.
int transposed_with(const Nest<2>& nest) {
  if (nest.inner_stride(1) <= 1) return -1;
  for (int d = nest.rank - 2; d >= 0; --d)
    if (nest.strides[1][d] == 1 && nest.dims[d] > 1) return d;
  return -1;
}

template <typename T>
void copy_line(T* to, const T* from, std::int64_t to_stride, std::int64_t from_stride,
               std::int64_t n) {
  if (to_stride == 1 && from_stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
  } else if (to_stride == 1 && from_stride == 0) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = *from;
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

template <typename T>
void copy_lines(const CopyArgs& a, const Nest<2>& nest) {
  parallel_pieces(nest.outer(), nest.inner(),
                  [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
                    const std::int64_t to_stride = nest.inner_stride(0);
                    const std::int64_t from_stride = nest.inner_stride(1);
                    copy_line(a.out.as<T>() + nest.offset(0, row) + begin * to_stride,
                              a.x.as<T>() + nest.offset(1, row) + begin * from_stride, to_stride,
                              from_stride, end - begin);
                  });
}

/// Dimension d of the nest against the innermost one, in tiles; all others around it.
template <typename T>
void copy_transposed(const CopyArgs& a, const Nest<2>& nest, int d) {
  Nest<2> around = nest;  // d counts tiles in `around`
  const std::int64_t rows = nest.dims[d], columns = nest.inner();
  around.dims[d] = (rows + kTile - 1) / kTile;
  around.strides[0][d] *= kTile, around.strides[1][d] *= kTile;
  const std::int64_t down = nest.strides[0][d];
  const std::int64_t to_stride = nest.inner_stride(0), from_stride = nest.inner_stride(1);
  std::int64_t inside = 1;  // how often index d repeats
  for (int k = d + 1; k + 1 < nest.rank; ++k) inside *= nest.dims[k];
  parallel_for(around.outer(), row_grain(columns * kTile),
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t unit = first; unit < last; ++unit) {
                   T* to = a.out.as<T>() + around.offset(0, unit);
                   const T* from = a.x.as<T>() + around.offset(1, unit);
                   const std::int64_t tile = unit / inside % around.dims[d];
                   const std::int64_t height = std::min(kTile, rows - tile * kTile);
                   for (std::int64_t begin = 0; begin < columns; begin += kTile) {
                     const std::int64_t end = std::min(columns, begin + kTile);
                     for (std::int64_t r = 0; r < height; ++r)
                       for (std::int64_t c = begin; c < end; ++c)
                         to[r * down + c * to_stride] = from[r + c * from_stride];
                   }
                 }
               });
}

template <typename T>
void copy_typed(const CopyArgs& a) {
  const Nest<2> nest(a.out, {&a.out, &a.x});
  const int d = transposed_with(nest);
  d < 0 ? copy_lines<T>(a, nest) : copy_transposed<T>(a, nest, d);
}

}  // namespace

void copy(const CopyArgs& args) noexcept {
  switch (size_of(args.out.dtype)) {
    case 1:
      return copy_typed<std::uint8_t>(args);
    case 2:
      return copy_typed<std::uint16_t>(args);
    case 4:
      return copy_typed<std::uint32_t>(args);
    default:
      return copy_typed<std::uint64_t>(args);
  }
}

void cast(const CastArgs& args) noexcept {
  if (args.x.dtype == args.out.dtype && is_float(args.x.dtype)) return copy({args.x, args.out});
  if (!has_lanes(args.x) || !has_lanes(args.out)) return reference::cast(args);
  const Nest<2> nest(args.out, {&args.out, &args.x});
  parallel_pieces(
      nest.outer(), nest.inner(), [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
        const Line to(args.out, nest.offset(0, row), nest.inner_stride(0));
        const Line from(args.x, nest.offset(1, row), nest.inner_stride(1));
        each16(end - begin,
               [&](std::int64_t i, auto n) { to.set(begin + i, from.at(begin + i, n), n); });
      });
}

void fill(const FillArgs& args) noexcept {
  alignas(8) char element[8] = {};
  View one = args.out;  // the value, once, in the type of out
  one.data = element, one.rank = 0;
  reference::fill({one, args.value});
  copy({one, args.out});
}

}  // namespace lathe::kernels::LATHE_ISA
