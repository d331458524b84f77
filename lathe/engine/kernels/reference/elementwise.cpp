#include "lathe/engine/kernels/elementwise.h"

#include "lathe/engine/kernels/elementwise_math.h"
#include "lathe/engine/kernels/reference/strided.h"

namespace lathe::kernels::reference {
namespace {

bool is_f64(const View& v) { return v.dtype == DType::f64; }

template <typename T>
void unary_float(const UnaryArgs& a) {
  with_unary(a.op, [&]<Unary op>() {
    for (std::int64_t k = 0; k < a.out.count(); ++k)
      put(a.out, offset_in(a.out, a.out, k),
          unary_value<op>(get<T>(a.x, offset_in(a.x, a.out, k))));
  });
}

std::int64_t unary_integer(Unary op, std::int64_t x) {
  switch (op) {
    case Unary::neg:
      return -x;
    case Unary::abs:
      return x < 0 ? -x : x;
    case Unary::square:
      return x * x;
    case Unary::relu:
      return x < 0 ? 0 : x;
    default:
      return x;
  }
}

template <typename T>
void binary_float(const BinaryArgs& a) {
  with_binary(a.op, [&]<Binary op>() {
    for (std::int64_t k = 0; k < a.out.count(); ++k) {
      const T left = static_cast<T>(read(a.a, offset_in(a.a, a.out, k)));
      const T right = static_cast<T>(read(a.b, offset_in(a.b, a.out, k)));
      put(a.out, offset_in(a.out, a.out, k), binary_value<op>(left, right));
    }
  });
}

std::int64_t binary_integer(Binary op, std::int64_t a, std::int64_t b) {
  switch (op) {
    case Binary::add:
      return a + b;
    case Binary::sub:
      return a - b;
    case Binary::mul:
      return a * b;
    case Binary::div:
      return b == 0 ? 0 : a / b;
    case Binary::max:
      return b > a ? b : a;
    default:
      return b < a ? b : a;
  }
}

template <typename T>
bool holds(Compare op, T a, T b) {
  switch (op) {
    case Compare::eq:
      return a == b;
    case Compare::ne:
      return a != b;
    case Compare::lt:
      return a < b;
    case Compare::le:
      return a <= b;
    case Compare::gt:
      return a > b;
    default:
      return a >= b;
  }
}

template <typename T>
void scale_float(const ScaleArgs& a) {
  const T factor = static_cast<T>(a.factor);
  for (std::int64_t k = 0; k < a.out.count(); ++k)
    put(a.out, offset_in(a.out, a.out, k), get<T>(a.x, offset_in(a.x, a.out, k)) * factor);
}

template <typename T>
void combine_float(const CombineArgs& a) {
  const T alpha = static_cast<T>(a.alpha), beta = static_cast<T>(a.beta);
  for (std::int64_t k = 0; k < a.out.count(); ++k) {
    const T right = beta * get<T>(a.b, offset_in(a.b, a.out, k));
    put(a.out, offset_in(a.out, a.out, k),
        fma(alpha, get<T>(a.a, offset_in(a.a, a.out, k)), right));
  }
}

}  // namespace

void unary(const UnaryArgs& args) noexcept {
  if (!is_integer(args.x)) {
    const bool wide = is_f64(args.x) || is_f64(args.out);
    return wide ? unary_float<double>(args) : unary_float<float>(args);
  }
  for (std::int64_t k = 0; k < args.out.count(); ++k)
    write_integer(args.out, offset_in(args.out, args.out, k),
                  unary_integer(args.op, read_integer(args.x, offset_in(args.x, args.out, k))));
}

void scale(const ScaleArgs& args) noexcept {
  const bool wide = is_f64(args.x) || is_f64(args.out);
  wide ? scale_float<double>(args) : scale_float<float>(args);
}

void combine(const CombineArgs& args) noexcept {
  const bool wide = is_f64(args.a) || is_f64(args.b) || is_f64(args.out);
  wide ? combine_float<double>(args) : combine_float<float>(args);
}

void binary(const BinaryArgs& args) noexcept {
  if (!is_integer(args.a) || !is_integer(args.b)) {
    const bool wide = is_f64(args.a) || is_f64(args.b) || is_f64(args.out);
    return wide ? binary_float<double>(args) : binary_float<float>(args);
  }
  for (std::int64_t k = 0; k < args.out.count(); ++k) {
    const std::int64_t left = read_integer(args.a, offset_in(args.a, args.out, k));
    const std::int64_t right = read_integer(args.b, offset_in(args.b, args.out, k));
    write_integer(args.out, offset_in(args.out, args.out, k), binary_integer(args.op, left, right));
  }
}

void compare(const CompareArgs& args) noexcept {
  for (std::int64_t k = 0; k < args.out.count(); ++k) {
    const double a = read(args.a, offset_in(args.a, args.out, k));  // exact for every type
    const double b = read(args.b, offset_in(args.b, args.out, k));
    args.out.as<std::uint8_t>()[offset_in(args.out, args.out, k)] = holds(args.op, a, b);
  }
}

void select(const SelectArgs& args) noexcept {
  for (std::int64_t k = 0; k < args.out.count(); ++k) {
    const bool chosen = read(args.condition, offset_in(args.condition, args.out, k)) != 0;
    const View& from = chosen ? args.a : args.b;
    write(args.out, offset_in(args.out, args.out, k), read(from, offset_in(from, args.out, k)));
  }
}

}  // namespace lathe::kernels::reference
