#include "lathe/engine/kernels/rope.h"

#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

/// One head: `from` and `to` are the offsets of its first element, p the row of the tables.
template <typename T>
void rotate(const RopeArgs& a, std::int64_t from, std::int64_t to, std::int64_t p) {
  const std::int64_t c0 = p * a.cosine.strides[0], s0 = p * a.sine.strides[0];
  const std::int64_t pairs = columns_of(a.cosine), size = a.x.dims[3];
  for (std::int64_t i = 0; i < pairs; ++i) {
    const std::int64_t first = a.interleaved ? 2 * i : i;
    const std::int64_t second = a.interleaved ? 2 * i + 1 : i + pairs;
    const T c = get<T>(a.cosine, c0 + i), table = get<T>(a.sine, s0 + i);
    const T s = a.inverse ? -table : table;
    const T xa = get<T>(a.x, from + first), xb = get<T>(a.x, from + second);
    put(a.y, to + first, fma(xa, c, -(xb * s)));
    put(a.y, to + second, fma(xb, c, xa * s));
  }
  for (std::int64_t i = 2 * pairs; i < size; ++i) put(a.y, to + i, get<T>(a.x, from + i));
}

template <typename T>
void all_heads(const RopeArgs& a) {
  const std::int64_t table_rows = rows_of(a.cosine);
  for (std::int64_t b = 0; b < a.x.dims[0]; ++b)
    for (std::int64_t t = 0; t < a.x.dims[1]; ++t) {
      std::int64_t p = position_of(a, b, t);
      p = p < 0 ? 0 : p >= table_rows ? table_rows - 1 : p;
      for (std::int64_t h = 0; h < a.x.dims[2]; ++h) {
        const auto offset = [&](const View& v) {
          return b * v.strides[0] + t * v.strides[1] + h * v.strides[2];
        };
        rotate<T>(a, offset(a.x), offset(a.y), p);
      }
    }
}

}  // namespace

void rope(const RopeArgs& args) noexcept {
  RopeArgs a = args;
  if (rows_of(a.cosine) == 0) a.cosine.dims[a.cosine.rank - 1] = 0;  // no table: copy
  a.x.dtype == DType::f64 ? all_heads<double>(a) : all_heads<float>(a);
}

}  // namespace lathe::kernels::reference
