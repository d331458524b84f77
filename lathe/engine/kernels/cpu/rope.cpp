#include "lathe/engine/kernels/rope.h"

#include "lathe/engine/kernels/cpu/lanes.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

struct Rotated {
  F32x16 first, second;
};

inline Rotated rotate(F32x16 a, F32x16 b, F32x16 c, F32x16 s) {
  return {fma(a, c, -(b * s)), fma(b, c, a * s)};
}

/// Cosines and sines of one position.
struct Angle {
  const float* cosine;
  const float* sine;
  bool inverse;

  template <typename N>
  F32x16 sines(std::int64_t i, N n) const {
    const F32x16 s = load_some(sine + i, n);
    return inverse ? -s : s;
  }
};

void rotate_halves(const Row& x, const Row& y, const Angle& angle, std::int64_t pairs) {
  each16(pairs, [&](std::int64_t i, auto n) {
    const Rotated r =
        rotate(x.at(i, n), x.at(i + pairs, n), load_some(angle.cosine + i, n), angle.sines(i, n));
    y.set(i, r.first, n);
    y.set(i + pairs, r.second, n);
  });
}

void rotate_neighbours(const Row& x, const Row& y, const Angle& angle, std::int64_t pairs) {
  each16(pairs, [&](std::int64_t i, auto n) {
    const int count = n;
    alignas(64) float a[16] = {}, b[16] = {};
    for (int k = 0; k < count; ++k) a[k] = x.one(2 * (i + k)), b[k] = x.one(2 * (i + k) + 1);
    const Rotated r = rotate(load(a), load(b), load_some(angle.cosine + i, n), angle.sines(i, n));
    store(a, r.first);
    store(b, r.second);
    for (int k = 0; k < count; ++k) y.set_one(2 * (i + k), a[k]), y.set_one(2 * (i + k) + 1, b[k]);
  });
}

/// The heads of one token.
void one_token(const RopeArgs& a, std::int64_t token, std::int64_t pairs) {
  const std::int64_t b = token / a.x.dims[1], t = token % a.x.dims[1];
  const std::int64_t last = rows_of(a.cosine) - 1, wanted = position_of(a, b, t);
  const std::int64_t p = wanted > last ? last : wanted < 0 ? 0 : wanted;
  const Angle angle{a.cosine.as<float>() + p * a.cosine.strides[0],
                    a.sine.as<float>() + p * a.sine.strides[0], a.inverse};
  for (std::int64_t h = 0; h < a.x.dims[2]; ++h) {
    Row x(a.x), y(a.y);
    const auto offset = [&](const View& v) {
      return (b * v.strides[0] + t * v.strides[1] + h * v.strides[2]) *
             static_cast<std::int64_t>(size_of(v.dtype));
    };
    x.data += offset(a.x);
    y.data += offset(a.y);
    if (a.interleaved) {
      rotate_neighbours(x, y, angle, pairs);
    } else {
      rotate_halves(x, y, angle, pairs);
    }
    const std::int64_t rest = a.x.dims[3] - 2 * pairs;
    if (rest > 0 && a.x.data == a.y.data) continue;  // in place: the rest lies there already
    each16(rest, [&](std::int64_t i, auto n) { y.set(2 * pairs + i, x.at(2 * pairs + i, n), n); });
  }
}

}  // namespace

void rope(const RopeArgs& args) noexcept {
  if (args.x.dtype == DType::f64 || rows_of(args.cosine) == 0) return reference::rope(args);
  const std::int64_t tokens = args.x.dims[0] * args.x.dims[1];
  parallel_for(tokens, row_grain(args.x.dims[2] * args.x.dims[3]),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t t = begin; t < end; ++t)
                   one_token(args, t, columns_of(args.cosine));
               });
}

}  // namespace lathe::kernels::LATHE_ISA
