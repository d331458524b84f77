#include "lathe/engine/kernels/elementwise.h"

#include <bit>

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::f16};
constexpr Unary kUnary[] = {Unary::neg,   Unary::abs,        Unary::square,  Unary::sqrt,
                            Unary::rsqrt, Unary::reciprocal, Unary::exp,     Unary::log,
                            Unary::tanh,  Unary::erf,        Unary::sigmoid, Unary::relu};
constexpr Binary kBinary[] = {Binary::add, Binary::sub, Binary::mul,
                              Binary::div, Binary::max, Binary::min};
constexpr Compare kCompare[] = {Compare::eq, Compare::ne, Compare::lt,
                                Compare::le, Compare::gt, Compare::ge};

Array with_specials(DType dtype, std::vector<std::int64_t> dims, std::uint64_t seed) {
  Array x = Array::random(dtype, std::move(dims), seed, 2.0);
  const double special[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1.0, -1.0, 1e-40};
  const auto start = static_cast<std::int64_t>(seed % 3);
  for (std::int64_t i = 0; i < 8 && start + 5 * i < x.count(); ++i)
    x.set(start + 5 * i, special[(static_cast<std::uint64_t>(i) * seed) % 8]);
  return x;
}

std::vector<Array> unary_of(const Array& x, DType out_type, Unary op) {
  Array out(out_type, {x.count()});
  unary({x.view(), out.view(), op});
  return {out};
}

TEST(Unary, GivesTheReferencesBits) {
  for (const Unary op : kUnary)
    for (const DType type : kTypes)
      for (const DType out_type : kTypes)
        for (const std::int64_t n : {0, 1, 15, 16, 17, 33, type == out_type ? 17000 : 100}) {
          const Array x = with_specials(type, {n}, 1);
          expect_one_result("unary", [&] { return unary_of(x, out_type, op); });
        }
}

// The vector functions against the scalar ones over the whole range of floats.
TEST(Unary, GivesTheReferencesBitsOverAllExponents) {
  constexpr std::int64_t kCount = 1 << 19;
  Array x(DType::f32, {kCount});
  for (std::int64_t i = 0; i < kCount; ++i)
    x.view().as<std::uint32_t>()[i] = static_cast<std::uint32_t>(i * 8191 + (i << 13));
  for (const Unary op :
       {Unary::exp, Unary::log, Unary::tanh, Unary::erf, Unary::sigmoid, Unary::sqrt, Unary::rsqrt})
    expect_one_result("unary over bits", [&] { return unary_of(x, DType::f32, op); });
}

TEST(Unary, ComputesItsFunction) {
  const auto truth = [](Unary op, double x) {
    switch (op) {
      case Unary::neg:
        return -x;
      case Unary::abs:
        return std::abs(x);
      case Unary::square:
        return x * x;
      case Unary::sqrt:
        return std::sqrt(x);
      case Unary::rsqrt:
        return 1 / std::sqrt(x);
      case Unary::reciprocal:
        return 1 / x;
      case Unary::exp:
        return std::exp(x);
      case Unary::log:
        return std::log(x);
      case Unary::tanh:
        return std::tanh(x);
      case Unary::erf:
        return std::erf(x);
      case Unary::sigmoid:
        return 1 / (1 + std::exp(-x));
      default:
        return std::fmax(x, 0.0);
    }
  };
  Array x(DType::f64, {40});
  for (int i = 0; i < 40; ++i) x.set(i, (i + 1) * 0.125);
  for (const Unary op : kUnary) {
    const Array wide = unary_of(x, DType::f64, op)[0];
    for (int i = 0; i < 40; ++i) ASSERT_DOUBLE_EQ(wide.at(i), truth(op, x.at(i)));
    expect_close(unary_of(x.as(DType::f32), DType::f32, op)[0], wide, 2e-7, "f32");
  }
}

std::vector<Array> binary_of(const Array& a, const Array& b, DType out_type, Binary op) {
  Array out(out_type, {a.count()});
  binary({a.view(), b.view(), out.view(), op});
  return {out};
}

TEST(BinaryOp, GivesTheReferencesBits) {
  for (const Binary op : kBinary)
    for (const DType a_type : kTypes)
      for (const DType b_type : kTypes)
        for (const DType out_type : kTypes)
          for (const std::int64_t n : {0, 1, 17, 33, a_type == b_type ? 17000 : 100}) {
            const Array a = with_specials(a_type, {n}, 1), b = with_specials(b_type, {n}, 5);
            expect_one_result("binary", [&] { return binary_of(a, b, out_type, op); });
          }
}

TEST(BinaryOp, ComputesItsFunction) {
  Array a(DType::f64, {3}), b(DType::f64, {3});
  a.set(0, 7), a.set(1, -2), a.set(2, NAN), b.set(0, 2), b.set(1, 4), b.set(2, 1);
  const double expected[6][2] = {{9, 2}, {5, -6}, {14, -8}, {3.5, -0.5}, {7, 4}, {2, -2}};
  for (const DType type : {DType::f64, DType::f32, DType::bf16})
    for (int k = 0; k < 6; ++k) {
      const Array out = binary_of(a.as(type), b.as(type), type, kBinary[k])[0];
      EXPECT_EQ(out.at(0), expected[k][0]);
      EXPECT_EQ(out.at(1), expected[k][1]);
      EXPECT_TRUE(std::isnan(out.at(2)));
      EXPECT_TRUE(std::isnan(binary_of(b.as(type), a.as(type), type, kBinary[k])[0].at(2)));
    }
}

TEST(BinaryOp, ComputesIntegersModuloTheirWidth) {
  Array a(DType::i32, {4}), b(DType::i32, {4});
  a.set(0, 2147483647), a.set(1, -7), a.set(2, 5), a.set(3, -2147483648.0);
  b.set(0, 1), b.set(1, 2), b.set(2, 0), b.set(3, -1);
  EXPECT_EQ(binary_of(a, b, DType::i32, Binary::add)[0].at(0), -2147483648.0);
  const Array quotient = binary_of(a, b, DType::i32, Binary::div)[0];
  EXPECT_EQ(quotient.at(1), -3);
  EXPECT_EQ(quotient.at(2), 0);
  EXPECT_EQ(quotient.at(3), -2147483648.0);
  EXPECT_EQ(binary_of(a, b, DType::i32, Binary::max)[0].at(1), 2);
}

/// Broadcast and permuted operands of one output [2,3,5,33].
std::vector<View> layouts(const Array& big, const Array& row, const Array& column,
                          const Array& one) {
  const auto as = [&](const std::int64_t(&strides)[4]) {
    View v = big.view();
    v.rank = 4;
    const std::int64_t dims[] = {2, 3, 5, 33};
    for (int d = 0; d < 4; ++d) v.dims[d] = dims[d], v.strides[d] = strides[d];
    return v;
  };
  const View plain = as({495, 165, 33, 1});
  const View permuted = as({33, 66, 198, 1});  // stored as [5,3,2,33]
  const View turned = as({1, 2, 6, 30});       // stored as [33,5,3,2]
  return {plain, permuted, turned, row.view(), column.view(), one.view()};
}

TEST(BinaryOp, BroadcastsAndFollowsStrides) {
  const Array big = Array::random(DType::f32, {990}, 1);
  const Array row = Array::random(DType::f32, {33}, 2);
  const Array column = Array::random(DType::f32, {3, 1, 1}, 3);
  const Array one = Array::random(DType::f32, {}, 4);
  const auto views = layouts(big, row, column, one);
  for (const View& a : views)
    for (const View& b : views) {
      const auto run = [&] {
        Array out(DType::f32, {2, 3, 5, 33});
        binary({a, b, out.view(), Binary::sub});
        return std::vector<Array>{out};
      };
      expect_one_result("broadcast", run);
    }
  Array out(DType::f32, {2, 3, 5, 33});
  binary({views[2], column.view(), out.view(), Binary::add});
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 5; ++k)
        for (int l = 0; l < 33; ++l) {
          const float left = static_cast<float>(big.at(i + 2 * j + 6 * k + 30 * l));
          ASSERT_EQ(out.at(((i * 3 + j) * 5 + k) * 33 + l),
                    left + static_cast<float>(column.at(j)));
        }
}

TEST(BinaryOp, WritesStridedOutputsAndInPlace) {
  expect_one_result("strided output", [] {
    const Array a = Array::random(DType::bf16, {7, 20}, 1), b = Array::random(DType::f32, {20}, 2);
    Array out(DType::f32, {20, 7});
    View turned = out.view();
    std::swap(turned.dims[0], turned.dims[1]);
    std::swap(turned.strides[0], turned.strides[1]);
    binary({a.view(), b.view(), turned, Binary::mul});
    Array residual = Array::random(DType::f32, {7, 20}, 3);
    binary({residual.view(), a.view(), residual.view(), Binary::add});
    return std::vector<Array>{out, residual};
  });
}

TEST(CompareOp, GivesTheReferencesBits) {
  for (const Compare op : kCompare)
    for (const DType type : kTypes)
      for (const std::int64_t n : {0, 1, 16, 33, 20000}) {
        const Array a = with_specials(type, {n}, 1), b = with_specials(DType::f32, {n}, 4);
        expect_one_result("compare", [&] {
          Array out(DType::boolean, {n});
          compare({a.view(), b.view(), out.view(), op});
          return std::vector<Array>{out};
        });
      }
}

TEST(CompareOp, KnowsNotANumberAndIntegers) {
  const double left[] = {1, 2, 2, NAN}, right[] = {2, 2, 1, NAN};
  const int expected[6][4] = {{0, 1, 0, 0}, {1, 0, 1, 1}, {1, 0, 0, 0},
                              {1, 1, 0, 0}, {0, 0, 1, 0}, {0, 1, 1, 0}};
  for (const DType type : {DType::f32, DType::bf16, DType::f64, DType::i32, DType::u8}) {
    const int n = is_float(type) ? 4 : 3;
    Array a(type, {n}), b(type, {n}), out(DType::boolean, {n});
    for (int i = 0; i < n; ++i) a.set(i, left[i]), b.set(i, right[i]);
    for (int k = 0; k < 6; ++k) {
      compare({a.view(), b.view(), out.view(), kCompare[k]});
      for (int i = 0; i < n; ++i) ASSERT_EQ(out.at(i), expected[k][i]) << name(type) << k << i;
    }
  }
}

TEST(Select, ChoosesByCondition) {
  for (const std::int64_t n : {0, 1, 16, 33, 20000})
    for (const DType type : kTypes)
      expect_one_result("select", [&] {
        Array condition(DType::boolean, {n}), out(type, {n});
        for (std::int64_t i = 0; i < n; ++i) condition.set(i, i % 3 == 0);
        const Array a = with_specials(type, {n}, 1), b = with_specials(type, {}, 2);
        select({condition.view(), a.view(), b.view(), out.view()});
        for (std::int64_t i = 1; i < n; i += 3) EXPECT_EQ(out.at(i), b.at(0));
        return std::vector<Array>{out};
      });
  Array condition(DType::u8, {2}), a(DType::i32, {2}), b(DType::i32, {2}), out(DType::i32, {2});
  condition.set(1, 200), a.fill(5), b.fill(-6);
  select({condition.view(), a.view(), b.view(), out.view()});
  EXPECT_EQ(out.at(0), -6);
  EXPECT_EQ(out.at(1), 5);
}

TEST(Combine, ScalesAndAdds) {
  for (const std::int64_t n : {0, 1, 33, 20000})
    expect_one_result("combine", [&] {
      const Array a = with_specials(DType::f32, {n}, 1), b = with_specials(DType::bf16, {n}, 2);
      Array out(DType::f32, {n}), scaled(DType::bf16, {n});
      combine({a.view(), b.view(), out.view(), 0.3, -1.7});
      scale({a.view(), scaled.view(), 0.1});
      return std::vector<Array>{out, scaled};
    });
  Array a(DType::f64, {1}), b(DType::f64, {1}), out(DType::f64, {1});
  a.set(0, 3), b.set(0, 5);
  combine({a.view(), b.view(), out.view(), 2, 0.5});
  EXPECT_EQ(out.at(0), 8.5);
  scale({a.view(), out.view(), 0.1});
  EXPECT_DOUBLE_EQ(out.at(0), 0.3);
}

}  // namespace
}  // namespace lathe::kernels::testing
