// Products of bf16 pairs: the processor against the stated chain by bits, and the same code with
// the instruction emulated, within a tolerance.
#include "lathe/engine/kernels/matmul_testing.h"

namespace lathe::kernels {
namespace bf16_simde {  // matmul_bf16.cpp with the instruction emulated, in this test binary only
void matmul(const MatmulArgs& args) noexcept;
std::int64_t matmul_workspace(const MatmulArgs& args) noexcept;
}  // namespace bf16_simde

namespace {

using namespace testing_matmul;

const std::vector<Case>& pair_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    for (const Sizes& sizes : kSizes)
      for (const Layout a : kLayouts)
        for (const Layout b : kLayouts)
          for (const DType out : {DType::f32, DType::bf16})
            all.push_back({sizes, a, b, DType::bf16, out, out == DType::f32, true});
    for (const Layout a : {Layout::rows, Layout::columns, Layout::collide})
      for (const DType out : {DType::f32, DType::bf16})
        for (const std::int64_t k : {1400, 1401})
          all.push_back({{0, 21, 52, k}, a, Layout::columns, DType::bf16, out});
    for (const Layout b : kLayouts)
      all.push_back({{0, 9, 40, 27}, Layout::rows, b, DType::bf16, DType::f32, false, true, true});
    all.push_back({{3, 19, 37, 22}, Layout::rows, Layout::rows, DType::bf16});
    return all;
  }();
  return cases;
}

TEST(MatmulPairs, TheProcessorGivesTheBitsOfTheStatedChain) {
  if (best_isa() < Isa::avx512_bf16) GTEST_SKIP() << "this processor has no AVX512-BF16";
  for (const Case& x : pair_cases())
    expect_bits(x, reference::matmul_bf16_pairs, {Isa::avx512_bf16}, {1, 3});
}

/// a and b without signs, so that their product is sum |a b|.
Matrix magnitudes(Matrix x) {
  for (std::size_t i = 1; i < x.bytes.size(); i += 2) x.bytes[i] &= 0x7F;
  x.view.data = x.bytes.data();
  return x;
}

/// The emulation adds the two products of a pair before the sum, unfused. Each way rounds K + 2
/// times at most, by half a unit of at most sum |a b|. Largest difference seen: RATIO of that
/// bound.
TEST(MatmulPairs, TheLogicHoldsWithTheInstructionEmulated) {
  for (const Case& x : pair_cases()) {
    if (x.a == Layout::backward || x.b == Layout::backward) continue;  // magnitudes() starts at 0
    SCOPED_TRACE(x.text());
    const Operands s(x);
    const auto expected = product(s.args, s.c, reference::matmul_bf16_pairs, nullptr);
    const auto got = product(s.args, s.c, bf16_simde::matmul, bf16_simde::matmul_workspace);
    Case bound = x;
    bound.out = DType::f32;
    bound.accumulate = bound.panels = false;
    Operands m(bound);
    const Matrix a = magnitudes(m.a), b = magnitudes(m.b);
    m.args.a = a.view;
    m.args.b = b.view;
    const auto sums = product(m.args, m.c, reference::matmul_bf16_pairs, nullptr);
    const float eps = 0x1p-26f * static_cast<float>(x.sizes.k + 2);
    for (std::size_t i = 0; i < got.size() / size_of(x.out); ++i) {
      const float want = at(expected, i, x.out), have = at(got, i, x.out);
      const float start = 4.0f;  // of an accumulated or added value, by the test's normal draws
      const float room = x.out == DType::bf16 ? 0x1p-7f * std::abs(want) : 0.0f;
      ASSERT_LE(std::abs(want - have), eps * (at(sums, i, DType::f32) + start) + room) << i;
    }
  }
}

/// One pair added to a sum by a kernel.
float one_pair(Kernel kernel, float sum, const float (&a)[2], const float (&b)[2]) {
  bf16_t x[2] = {to_bf16(a[0]), to_bf16(a[1])}, y[2] = {to_bf16(b[0]), to_bf16(b[1])};
  alignas(64) char workspace[1 << 16];
  const MatmulArgs args{.a = {x, {1, 2}, {2, 1}, 2, DType::bf16},
                        .b = {y, {2, 1}, {1, 2}, 2, DType::bf16},
                        .c = {&sum, {1, 1}, {1, 1}, 2, DType::f32},
                        .accumulate = true,
                        .workspace = workspace,
                        .workspace_bytes = sizeof workspace};
  if (kernel == &avx512_bf16::matmul) {  // else it would take the reference
    EXPECT_LE(avx512_bf16::matmul_workspace(args), args.workspace_bytes);
  }
  kernel(args);
  return sum;
}

void expect_edges(Kernel kernel) {
  const auto pair = [&](float sum, const float(&a)[2], const float(&b)[2]) {
    return one_pair(kernel, sum, a, b);
  };
  EXPECT_EQ(pair(0x1p-130f, {0, 0}, {0, 0}), 0.0f);                       // denormal sum
  EXPECT_EQ(pair(0, {0x1p-130f, 0}, {0x1p100f, 0}), 0.0f);                // and operand
  EXPECT_EQ(pair(0, {0x1p-64f, 0x1p-64f}, {0x1p-63f, 0x1p-63f}), 0.0f);   // and result
  EXPECT_EQ(pair(0x1p-126f, {0x1p-70f, 0}, {0x1p-60f, 0}), 0x1.1p-126f);  // yet fused
  EXPECT_EQ(pair(0x1.8p-126f, {0x1p-63f, -0x1p-63f}, {0x1p-63f, 0x1p-63f}), 0x1p-126f);
  EXPECT_EQ(pair(0x1.8p-126f, {-0x1p-63f, 0x1p-63f}, {0x1p-63f, 0x1p-63f}), 0x1.8p-126f);
  EXPECT_EQ(pair(0, {3e38f, 3e38f}, {3e38f, -3e38f}), -INFINITY);        // odd one first
  EXPECT_EQ(pair(0x1p-126f, {-0x1p-76f, 0}, {0x1p-75f, 0}), 0x1p-126f);  // rounds up to it
  EXPECT_EQ(pair(0x1p-126f, {-0x1.1p-76f, 0}, {0x1p-75f, 0}), 0.0f);     // stays below it
  EXPECT_EQ(pair(0x1p-126f, {0, -0x1.8p-76f}, {0, 0x1p-75f}), 0.0f);
}

TEST(MatmulPairs, DenormalsAreZeroAndTheOddProductComesFirst) {
  expect_edges(reference::matmul_bf16_pairs);
}

TEST(MatmulPairs, TheProcessorAgreesAtTheEdges) {
  if (best_isa() < Isa::avx512_bf16) GTEST_SKIP() << "this processor has no AVX512-BF16";
  const int threads = thread_count();
  set_thread_count(1);
  expect_edges(avx512_bf16::matmul);
  set_thread_count(threads);
}

}  // namespace
}  // namespace lathe::kernels
