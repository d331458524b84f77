#include "lathe/engine/kernels/elementwise.h"

#include "lathe/engine/kernels/cpu/strided.h"
#include "lathe/engine/kernels/elementwise_math.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

template <typename F>
void map1(const View& x, const View& out, F f) {
  const Nest<2> nest(out, {&out, &x});
  parallel_pieces(
      nest.outer(), nest.inner(), [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
        const Line to(out, nest.offset(0, row), nest.inner_stride(0));
        const Line from(x, nest.offset(1, row), nest.inner_stride(1));
        each16(end - begin,
               [&](std::int64_t i, auto n) { to.set(begin + i, f(from.at(begin + i, n)), n); });
      });
}

template <typename F>
void map2(const View& a, const View& b, const View& out, F f) {
  const Nest<3> nest(out, {&out, &a, &b});
  parallel_pieces(nest.outer(), nest.inner(),
                  [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
                    const Line to(out, nest.offset(0, row), nest.inner_stride(0));
                    const Line left(a, nest.offset(1, row), nest.inner_stride(1));
                    const Line right(b, nest.offset(2, row), nest.inner_stride(2));
                    each16(end - begin, [&](std::int64_t j, auto n) {
                      const std::int64_t i = begin + j;
                      to.set(i, f(left.at(i, n), right.at(i, n)), n);
                    });
                  });
}

unsigned compare_mask(Compare op, F32x16 a, F32x16 b) {
  switch (op) {
    case Compare::eq:
      return equal_mask(a, b);
    case Compare::ne:
      return ~equal_mask(a, b);
    case Compare::lt:
      return less_mask(a, b);
    case Compare::le:
      return less_equal_mask(a, b);
    case Compare::gt:
      return less_mask(b, a);
    default:
      return less_equal_mask(b, a);
  }
}

void store_mask(std::uint8_t* out, unsigned mask, std::int64_t stride, int n) {
  for (int k = 0; k < n; ++k) out[k * stride] = mask >> k & 1u;
}
void store_mask(std::uint8_t* out, unsigned mask, std::int64_t stride, Full n) {
  if (stride != 1) return store_mask(out, mask, stride, int{n});
  const auto low = static_cast<long long>(_pdep_u64(mask & 255u, 0x0101010101010101u));
  const auto high = static_cast<long long>(_pdep_u64(mask >> 8 & 255u, 0x0101010101010101u));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_set_epi64x(high, low));
}

unsigned load_mask(const std::uint8_t* p, std::int64_t stride, int n) {
  unsigned mask = 0;
  for (int k = 0; k < n; ++k) mask |= static_cast<unsigned>(p[k * stride] != 0) << k;
  return mask;
}
unsigned load_mask(const std::uint8_t* p, std::int64_t stride, Full n) {
  if (stride != 1) return load_mask(p, stride, int{n});
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const int zeros = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128()));
  return ~static_cast<unsigned>(zeros) & 0xFFFFu;
}

void select_line(const SelectArgs& a, const Nest<4>& nest, std::int64_t row, std::int64_t begin,
                 std::int64_t end) {
  const Line to(a.out, nest.offset(0, row), nest.inner_stride(0));
  const Line left(a.a, nest.offset(1, row), nest.inner_stride(1));
  const Line right(a.b, nest.offset(2, row), nest.inner_stride(2));
  const std::int64_t stride = nest.inner_stride(3);
  const std::uint8_t* condition = a.condition.as<std::uint8_t>() + nest.offset(3, row);
  each16(end - begin, [&](std::int64_t j, auto n) {
    const std::int64_t i = begin + j;
    const unsigned mask = load_mask(condition + i * stride, stride, n);
    to.set(i, select_mask(mask, left.at(i, n), right.at(i, n)), n);
  });
}

}  // namespace

void unary(const UnaryArgs& args) noexcept {
  if (!has_lanes(args.x) || !has_lanes(args.out)) return reference::unary(args);
  with_unary(args.op, [&]<Unary op>() {
    map1(args.x, args.out, [](F32x16 x) { return unary_value<op>(x); });
  });
}

void scale(const ScaleArgs& args) noexcept {
  if (!has_lanes(args.x) || !has_lanes(args.out)) return reference::scale(args);
  const F32x16 factor = splat(static_cast<float>(args.factor));
  map1(args.x, args.out, [factor](F32x16 x) { return x * factor; });
}

void combine(const CombineArgs& args) noexcept {
  if (!has_lanes(args.a) || !has_lanes(args.b) || !has_lanes(args.out))
    return reference::combine(args);
  const F32x16 alpha = splat(static_cast<float>(args.alpha));
  const F32x16 beta = splat(static_cast<float>(args.beta));
  map2(args.a, args.b, args.out,
       [alpha, beta](F32x16 a, F32x16 b) { return fma(alpha, a, beta * b); });
}

void binary(const BinaryArgs& args) noexcept {
  if (!has_lanes(args.a) || !has_lanes(args.b) || !has_lanes(args.out))
    return reference::binary(args);
  with_binary(args.op, [&]<Binary op>() {
    map2(args.a, args.b, args.out, [](F32x16 a, F32x16 b) { return binary_value<op>(a, b); });
  });
}

void compare(const CompareArgs& args) noexcept {
  if (!has_lanes(args.a) || !has_lanes(args.b)) return reference::compare(args);
  const Nest<3> nest(args.out, {&args.out, &args.a, &args.b});
  parallel_pieces(nest.outer(), nest.inner(),
                  [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
                    const Line left(args.a, nest.offset(1, row), nest.inner_stride(1));
                    const Line right(args.b, nest.offset(2, row), nest.inner_stride(2));
                    const std::int64_t stride = nest.inner_stride(0);
                    std::uint8_t* to = args.out.as<std::uint8_t>() + nest.offset(0, row);
                    each16(end - begin, [&](std::int64_t j, auto n) {
                      const std::int64_t i = begin + j;
                      store_mask(to + i * stride,
                                 compare_mask(args.op, left.at(i, n), right.at(i, n)), stride, n);
                    });
                  });
}

void select(const SelectArgs& args) noexcept {
  if (!has_lanes(args.a) || !has_lanes(args.b) || !has_lanes(args.out))
    return reference::select(args);
  const Nest<4> nest(args.out, {&args.out, &args.a, &args.b, &args.condition});
  parallel_pieces(nest.outer(), nest.inner(),
                  [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
                    select_line(args, nest, row, begin, end);
                  });
}

}  // namespace lathe::kernels::LATHE_ISA
