// The law of the product: every fast kernel gives the bits of the plain loop, whatever the strides,
// shape, thread count and instruction set.
#include "lathe/engine/kernels/matmul_testing.h"

namespace lathe::kernels {
namespace {

using namespace testing_matmul;

const std::vector<Isa> kF32Levels = {Isa::avx2, Isa::avx512};

TEST(Matmul, EveryInstructionSetIsHere) {
  if (best_isa() < Isa::avx512)
    GTEST_SKIP() << "the tests below leave out avx512: this processor runs " << name(best_isa());
}

TEST(Matmul, EveryShapeAndStrideGivesTheBitsOfThePlainLoop) {
  for (const Sizes& sizes : kSizes)
    for (const Layout a : kLayouts)
      for (const Layout b : kLayouts)
        for (const bool accumulate : {false, true})
          expect_bits({sizes, a, b, DType::f32, DType::f32, accumulate, !accumulate},
                      reference::matmul, kF32Levels, {1, 3});
}

TEST(Matmul, Bf16OperandsAreWidened) {
  for (const Sizes& sizes : kSizes)
    for (const Layout a : kLayouts)
      for (const Layout b : kLayouts)
        for (const DType out : {DType::f32, DType::bf16})
          expect_bits({sizes, a, b, DType::bf16, out, out == DType::f32, true}, reference::matmul,
                      kF32Levels, {1, 3});
}

TEST(Matmul, LongSumsRunInOneChainOverRangesOfK) {
  for (const DType in : {DType::f32, DType::bf16})
    for (const Layout a : {Layout::rows, Layout::columns, Layout::collide})
      for (const DType out : {DType::f32, DType::bf16})
        expect_bits({{0, 21, 52, 1400}, a, Layout::columns, in, out, false, true},
                    reference::matmul, kF32Levels, {1, 2});
  expect_bits({{0, 3, 52, 700}, Layout::rows, Layout::rows, DType::f32, DType::bf16, false, true},
              reference::matmul, kF32Levels, {1, 2});
}

TEST(Matmul, LargeProductsAreCutIntoChunks) {
  for (const int n : {2, 5}) {
    expect_bits({{0, 131, 330, 90}, Layout::rows, Layout::columns}, reference::matmul, kF32Levels,
                {n});
    expect_bits({{0, 400, 36, 70}, Layout::columns, Layout::rows, DType::f32, DType::f32, true},
                reference::matmul, kF32Levels, {n});
    expect_bits({{0, 40, 700, 40}, Layout::rows, Layout::rows}, reference::matmul, kF32Levels, {n});
  }
}

TEST(Matmul, BatchesAndBroadcastOperands) {
  for (const bool merge : {false, true}) {
    Case x{{3, 19, 37, 22}, Layout::rows, merge ? Layout::columns : Layout::rows};
    expect_bits(x, reference::matmul, kF32Levels, {1, 2});
    Operands s(x);
    s.args.b.strides[0] = 0;  // one b for all
    if (!merge) s.args.a.strides[0] = 0;
    const auto expected = product(s.args, s.c, reference::matmul, nullptr);
    const auto got = product(s.args, s.c, matmul, matmul_workspace);
    EXPECT_EQ(first_difference(expected, got, DType::f32), -1);
  }
}

TEST(Matmul, EmptySizes) {
  for (const Sizes& sizes : {Sizes{0, 0, 5, 4},
                             {0, 5, 0, 4},
                             {0, 5, 20, 0},
                             {0, 0, 0, 0},
                             {0, 30, 70, 0},
                             {2, 3, 4, 0},
                             {2, 0, 4, 3}})
    for (const bool accumulate : {false, true})
      for (const bool bias : {false, true})
        expect_bits({sizes, Layout::rows, Layout::rows, DType::f32, DType::f32, accumulate, bias},
                    reference::matmul, {Isa::avx2, Isa::avx512, Isa::avx512_bf16}, {1, 2});
}

TEST(Matmul, PanelsGiveTheSameBits) {
  for (const DType in : {DType::f32, DType::bf16})
    for (const Sizes& sizes : kSizes)
      for (const Layout b : kLayouts)
        if (sizes.batch == 0)
          expect_bits({sizes, Layout::rows, b, in, DType::f32, false, false, true},
                      reference::matmul, kF32Levels, {2});
}

TEST(Matmul, WithoutWorkspaceTheReferenceRuns) {
  const Operands s(Case{{0, 9, 40, 30}});
  const auto expected = product(s.args, s.c, reference::matmul, nullptr);
  EXPECT_EQ(first_difference(expected, product(s.args, s.c, matmul, nullptr), DType::f32), -1);
}

TEST(Matmul, InfinitiesAndNaNStayInTheirRowsAndColumns) {
  for (const Layout layout : {Layout::rows, Layout::columns}) {
    Operands s(Case{{0, 17, 50, 33}, layout, layout});
    s.a.view.as<float>()[5] = INFINITY;
    s.b.view.as<float>()[11] = NAN;
    const auto expected = product(s.args, s.c, reference::matmul, nullptr);
    const auto got = product(s.args, s.c, matmul, matmul_workspace);
    EXPECT_EQ(first_difference(expected, got, DType::f32), -1);
  }
}

TEST(MatmulReference, F64IsTheMathematicalProduct) {
  const double a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, -1, 2, 0.5, 3, 0.25};
  double c[] = {100, 100, 100, 100};
  const auto view = [](const double* p, std::int64_t rows, std::int64_t columns) {
    return View{const_cast<double*>(p), {rows, columns}, {columns, 1}, 2, DType::f64};
  };
  MatmulArgs args{.a = view(a, 2, 3), .b = view(b, 3, 2), .c = view(c, 2, 2)};
  matmul(args);
  EXPECT_EQ(c[0], 14.0);
  EXPECT_EQ(c[1], 0.75);
  EXPECT_EQ(c[2], 32.0);
  EXPECT_EQ(c[3], 0.0);
  args.accumulate = true;
  matmul(args);
  EXPECT_EQ(c[2], 64.0);
}

}  // namespace
}  // namespace lathe::kernels
