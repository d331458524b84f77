#include "lathe/engine/kernels/movement.h"

#include <immintrin.h>

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels::testing {
namespace {

constexpr DType kAll[] = {DType::f32, DType::bf16, DType::f64, DType::f16,
                          DType::i32, DType::i8,   DType::u8,  DType::boolean};

__attribute__((target("f16c"))) float processor_widens(std::uint16_t x) { return _cvtsh_ss(x); }
__attribute__((target("f16c"))) std::uint16_t processor_rounds(float x) {
  return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
}

TEST(Float16, ReadsEveryPatternAsTheProcessorDoes) {
  if (!processor_is_supported()) GTEST_SKIP() << "no F16C";
  for (int bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float truth = processor_widens(half), own = to_f32(f16_t{half});
    ASSERT_TRUE(truth == own || (std::isnan(truth) && std::isnan(own))) << bits;
  }
}

TEST(Float16, RoundsAsTheProcessorDoes) {
  if (!processor_is_supported()) GTEST_SKIP() << "no F16C";
  for (std::uint64_t bits = 0; bits < (1ull << 32); bits += 1021) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    const std::uint16_t own = to_f16(x).bits;
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(to_f32(f16_t{own})));
    } else {
      ASSERT_EQ(processor_rounds(x), own) << x;
    }
  }
}

TEST(Float16, DoublesAreRoundedOnce) {
  // 1 + 2^-8 + 2^-40: between two bf16; f32 would round the small part away and then tie to even.
  const double just_above = 1 + 0x1p-8 + 0x1p-40;
  EXPECT_EQ(to_f32(to_bf16(round_to_odd(just_above))), 1 + 0x1p-7);
  EXPECT_EQ(to_f32(to_bf16(round_to_odd(1 + 0x1p-8))), 1.0);
  EXPECT_EQ(to_f32(to_f16(round_to_odd(-(1 + 0x1p-11 + 0x1p-50)))), -(1 + 0x1p-10));
  EXPECT_EQ(round_to_odd(1e300), std::bit_cast<float>(0x7F7FFFFFu));
  EXPECT_EQ(to_f32(to_bf16(round_to_odd(1e300))), INFINITY);
  EXPECT_EQ(round_to_odd(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(round_to_odd(double{NAN})));
}

Array source(DType dtype, std::int64_t n) {
  Array x = Array::random(is_float(dtype) ? dtype : DType::f64, {n}, 1, 60.0);
  if (is_float(dtype)) {
    const double special[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, 3e9, -3e9, 0.5, -0.5, 255.9};
    for (std::int64_t i = 0; i < 10 && 3 * i < n; ++i) x.set(3 * i, special[i]);
    return x;
  }
  Array integers(dtype, {n});
  for (std::int64_t i = 0; i < n; ++i) {
    const double value = std::trunc(x.at(i));
    integers.set(i, dtype == DType::boolean ? i % 2
                    : dtype == DType::i8    ? std::fmin(127, std::fmax(-128, value))
                    : dtype == DType::u8    ? std::fmin(255, std::fabs(value))
                                            : value * 1e6);
  }
  return integers;
}

TEST(Cast, GivesTheReferencesBitsForEveryPair) {
  for (const DType from : kAll)
    for (const DType to : kAll)
      for (const std::int64_t n : {0, 1, 16, 33, 17000}) {
        const Array x = source(from, n);
        expect_one_result("cast", [&] {
          Array out(to, {n});
          cast({x.view(), out.view()});
          return std::vector<Array>{out};
        });
      }
}

TEST(Cast, ConvertsAsDocumented) {
  Array x(DType::f32, {6}), out(DType::i32, {6});
  const double values[] = {2.9, -2.9, NAN, 1e30, -INFINITY, 0.0};
  for (int i = 0; i < 6; ++i) x.set(i, values[i]);
  const auto result = [&](DType type) {
    Array to(type, {6});
    cast({x.view(), to.view()});
    return to;
  };
  const double integers[] = {2, -2, 0, 2147483647.0, -2147483648.0, 0};
  const double bytes[] = {2, 0, 0, 255, 0, 0};
  const double flags[] = {1, 1, 1, 1, 1, 0};
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(result(DType::i32).at(i), integers[i]);
    EXPECT_EQ(result(DType::u8).at(i), bytes[i]);
    EXPECT_EQ(result(DType::boolean).at(i), flags[i]);
  }
  EXPECT_EQ(result(DType::i8).at(3), 127);
  EXPECT_EQ(result(DType::i8).at(4), -128);
}

View permuted(const View& v, std::vector<int> order) {
  View p = v;
  for (std::size_t d = 0; d < order.size(); ++d)
    p.dims[d] = v.dims[order[d]], p.strides[d] = v.strides[order[d]];
  return p;
}

TEST(Copy, MakesEveryPermutationContiguous) {
  for (const DType type : {DType::f32, DType::bf16, DType::f64, DType::u8})
    for (std::vector<int> order : {std::vector<int>{0, 1, 2, 3},
                                   {0, 2, 1, 3},
                                   {3, 2, 1, 0},
                                   {0, 1, 3, 2},
                                   {3, 0, 1, 2},
                                   {1, 2, 3, 0}}) {
      const Array x = source(type, 2 * 3 * 40 * 37);
      View v = x.view();
      const std::int64_t dims[] = {2, 3, 40, 37};
      v.rank = 4;
      for (int d = 3, s = 1; d >= 0; --d)
        v.dims[d] = dims[d], v.strides[d] = s, s *= static_cast<int>(dims[d]);
      const View from = permuted(v, order);
      expect_one_result("copy", [&] {
        Array out(type, {from.dims[0], from.dims[1], from.dims[2], from.dims[3]});
        copy({from, out.view()});
        Array back(type, {x.count()});  // and scattered back
        View to = permuted(v, order);
        to.data = back.view().data;
        copy({out.view(), to});
        EXPECT_EQ(back.first_difference(x), -1);
        return std::vector<Array>{out};
      });
    }
}

TEST(Copy, RepeatsBroadcastDimensionsAndKeepsNaNPayloads) {
  Array x(DType::f32, {2, 1}), out(DType::f32, {2, 40});
  x.view().as<std::uint32_t>()[0] = 0x7FA12345u;
  x.set(1, 3);
  copy({x.view(), out.view()});
  EXPECT_EQ(out.view().as<std::uint32_t>()[39], 0x7FA12345u);
  EXPECT_EQ(out.at(79), 3);
}

TEST(Fill, WritesEveryTypeAndOnlyTheView) {
  for (const DType type : kAll)
    expect_one_result("fill", [&] {
      Array out(type, {9, 50});
      View middle = out.view();
      middle.dims[1] = 33;
      fill({middle, -1.5});
      EXPECT_EQ(out.at(33), 0.0);
      return std::vector<Array>{out};
    });
}

}  // namespace
}  // namespace lathe::kernels::testing
