// The law of the product: every fast kernel gives the bits of the plain loop, whatever the strides,
// shape, thread count and instruction set.
#include "lathe/engine/kernels/matmul.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "lathe/base/parallel.h"
#include "lathe/base/random.h"

namespace lathe::kernels {
namespace bf16_simde {  // matmul_bf16.cpp with the instruction emulated, in this test binary only
void matmul(const MatmulArgs& args) noexcept;
std::int64_t matmul_workspace(const MatmulArgs& args) noexcept;
}  // namespace bf16_simde

namespace {

enum class Layout { rows, columns, spread, backward, collide };
constexpr Layout kLayouts[] = {Layout::rows, Layout::columns, Layout::spread, Layout::backward};

/// A [batch, rows, columns] matrix that owns exactly the memory its strides reach.
struct Matrix {
  std::vector<char> bytes;
  View view;
};

std::int64_t row_stride_of(Layout layout, std::int64_t rows, std::int64_t columns) {
  switch (layout) {
    case Layout::rows:
      return columns;
    case Layout::columns:
      return 1;
    case Layout::collide:
      return (columns + 1023) / 1024 * 1024;
    default:
      return 3 * columns + 5 + rows % 2;
  }
}

View view_of(Layout layout, DType dtype, std::int64_t batch, std::int64_t rows,
             std::int64_t columns) {
  View v;
  v.rank = batch > 0 ? 3 : 2;
  v.dtype = dtype;
  const std::int64_t row = row_stride_of(layout, rows, columns);
  const std::int64_t column = layout == Layout::columns ? rows : layout == Layout::spread ? 3 : 1;
  const std::int64_t sign = layout == Layout::backward ? -1 : 1;
  if (batch > 0) v.dims[0] = batch;
  if (batch > 0) v.strides[0] = layout == Layout::columns ? rows * columns : rows * row;
  v.dims[v.rank - 2] = rows;
  v.dims[v.rank - 1] = columns;
  v.strides[v.rank - 2] = sign * row;
  v.strides[v.rank - 1] = column;
  return v;
}

void put(const View& v, std::int64_t offset, float x) {
  if (v.dtype == DType::bf16) {
    v.as<bf16_t>()[offset] = to_bf16(x);
  } else {
    v.as<float>()[offset] = x;
  }
}

/// Normal values, one in eight a signed zero: sums of -0 tell padding from the true chain.
float value(const RandomStream& random, std::uint64_t i) {
  if (random.below(8, 2 * i + 1) == 0) return i % 2 == 0 ? 0.0f : -0.0f;
  return static_cast<float>(random.normal(2 * i));
}

struct Sizes {
  std::int64_t batch, m, n, k;  // batch 0: rank 2
};

Matrix make(const char* name, Layout layout, DType dtype, std::int64_t batch, std::int64_t rows,
            std::int64_t columns) {
  Matrix x{{}, view_of(layout, dtype, batch, rows, columns)};
  const View& v = x.view;
  const std::int64_t batches = std::max<std::int64_t>(batch, 1);
  const std::int64_t row = v.strides[v.rank - 2], column = v.strides[v.rank - 1];
  const std::int64_t batch_stride = batch > 0 ? v.strides[0] : 0;
  std::int64_t last = 0;
  if (rows * columns > 0)
    last = (batches - 1) * batch_stride + (rows - 1) * std::abs(row) + (columns - 1) * column + 1;
  x.bytes.assign(static_cast<std::size_t>(last) * size_of(dtype), '\x7F');  // NaN between elements
  x.view.data = x.bytes.data();
  if (row < 0 && rows > 0) x.view.data = x.bytes.data() + (rows - 1) * -row * size_of(dtype);
  const RandomStream random(7, name);
  std::uint64_t i = 0;
  for (std::int64_t b = 0; b < batches; ++b)
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < columns; ++c)
        put(v, b * batch_stride + r * row + c * column, value(random, i++));
  return x;
}

using Kernel = void (*)(const MatmulArgs&) noexcept;
using Workspace = std::int64_t (*)(const MatmulArgs&) noexcept;

/// The elements of c after the product, c's padding included.
std::vector<char> product(MatmulArgs args, const Matrix& c, Kernel kernel, Workspace workspace) {
  Matrix out = c;
  args.c = c.view;
  args.c.data = out.bytes.data();
  const std::int64_t bytes = workspace == nullptr ? 0 : workspace(args);
  void* memory = bytes == 0 ? nullptr : std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  args.workspace = memory;
  args.workspace_bytes = bytes;
  kernel(args);
  std::free(memory);
  return out.bytes;
}

float at(const std::vector<char>& bytes, std::size_t i, DType dtype) {
  if (dtype == DType::bf16) return to_f32(reinterpret_cast<const bf16_t*>(bytes.data())[i]);
  return reinterpret_cast<const float*>(bytes.data())[i];
}

/// Index of the first element whose bits differ (any NaN equals any NaN), or -1.
std::ptrdiff_t first_difference(const std::vector<char>& x, const std::vector<char>& y,
                                DType dtype) {
  const std::size_t size = size_of(dtype);
  for (std::size_t i = 0; i < x.size() / size; ++i) {
    if (std::memcmp(&x[i * size], &y[i * size], size) == 0) continue;
    if (std::isnan(at(x, i, dtype)) && std::isnan(at(y, i, dtype))) continue;
    return static_cast<std::ptrdiff_t>(i);
  }
  return -1;
}

struct Case {
  Sizes sizes;
  Layout a = Layout::rows, b = Layout::columns;
  DType in = DType::f32, out = DType::f32;
  bool accumulate = false, bias = false, panels = false;

  std::string text() const {
    return fmt::format(
        "batch {} m {} n {} k {} layouts {} {} {}->{} accumulate {} bias {} panels {}", sizes.batch,
        sizes.m, sizes.n, sizes.k, static_cast<int>(a), static_cast<int>(b), name(in), name(out),
        accumulate, bias, panels);
  }
};

/// Owns what a case's arguments point to.
struct Operands {
  explicit Operands(const Case& x)
      : a(make("a", x.a, x.in, x.sizes.batch, x.sizes.m, x.sizes.k)),
        b(make("b", x.b, x.in, x.sizes.batch, x.sizes.k, x.sizes.n)),
        c(make("c", Layout::rows, x.out, x.sizes.batch, x.sizes.m, x.sizes.n)),
        bias(make("bias", Layout::rows, x.in, 0, 1, x.sizes.n)) {
    args.a = a.view;
    args.b = b.view;
    args.c = c.view;
    args.accumulate = x.accumulate;
    if (x.bias) {
      args.bias = bias.view;
      args.bias.rank = 1;
      args.bias.dims[0] = x.sizes.n;
      args.bias.strides[0] = 1;
    }
    if (x.panels) {
      panels.resize(static_cast<std::size_t>(packed_bytes(b.view)));
      pack_b(b.view, panels.data());
      args.b_panels = panels.data();
      args.b.data = nullptr;
    }
  }
  Matrix a, b, c, bias;
  std::vector<char> panels;
  MatmulArgs args;
};

void expect_bits(const Case& x, Kernel truth, const std::vector<Isa>& levels,
                 const std::vector<int>& threads) {
  SCOPED_TRACE(x.text());
  const Operands s(x);
  MatmulArgs from_view = s.args;
  from_view.b = s.b.view;
  from_view.b_panels = nullptr;
  const std::vector<char> expected = product(from_view, s.c, truth, nullptr);
  if (x.panels) {
    ASSERT_EQ(first_difference(expected, product(s.args, s.c, truth, nullptr), x.out), -1);
  }
  const Isa before = isa();
  const int threads_before = thread_count();
  for (const Isa level : levels) {
    if (!set_isa(level)) continue;
    for (const int n : threads) {
      set_thread_count(n);
      const auto got = product(s.args, s.c, matmul, matmul_workspace);
      const std::ptrdiff_t i = first_difference(expected, got, x.out);
      EXPECT_EQ(i, -1) << name(level) << ", " << n << " threads: expected "
                       << at(expected, std::max<std::ptrdiff_t>(i, 0), x.out) << ", got "
                       << at(got, std::max<std::ptrdiff_t>(i, 0), x.out);
    }
  }
  set_thread_count(threads_before);
  set_isa(before);
}

const std::vector<Isa> kF32Levels = {Isa::avx2, Isa::avx512};

constexpr Sizes kSizes[] = {{0, 1, 1, 1},    {0, 1, 49, 33},  {0, 2, 16, 8},    {0, 5, 17, 7},
                            {0, 6, 32, 16},  {0, 7, 31, 65},  {0, 8, 48, 64},   {0, 13, 50, 19},
                            {0, 14, 95, 40}, {0, 16, 33, 70}, {0, 33, 100, 47}, {0, 50, 130, 31},
                            {2, 1, 40, 12}};

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

/// The emulation adds the two products first, unfused: two roundings a step instead of two fused
/// ones, so both sums stay within (K + 2) half units in the last place of sum |a b|. The largest
/// difference seen is 0.2 of that bound.
TEST(MatmulPairs, TheLogicHoldsWithTheInstructionEmulated) {
  for (const Case& x : pair_cases()) {
    SCOPED_TRACE(x.text());
    const Operands s(x);
    const auto expected = product(s.args, s.c, reference::matmul_bf16_pairs, nullptr);
    const auto got = product(s.args, s.c, bf16_simde::matmul, bf16_simde::matmul_workspace);
    ASSERT_EQ(expected.size(), got.size());
    const float eps = 0x1p-23f * static_cast<float>(x.sizes.k + 2);
    for (std::size_t i = 0; i < got.size() / size_of(x.out); ++i) {
      const float want = at(expected, i, x.out), have = at(got, i, x.out);
      const float room = x.out == DType::bf16 ? 0x1p-7f * std::abs(want) : 0.0f;
      const float magnitude = 2.0f * static_cast<float>(x.sizes.k) + 10.0f;  // of sum |a b|
      ASSERT_LE(std::abs(want - have), eps * magnitude * 0.1f + room) << i;
    }
  }
}

/// vdpbf16ps on one lane, as the kernel issues it.
float one_pair(float sum, const float (&a)[2], const float (&b)[2]) {
  bf16_t x[2] = {to_bf16(a[0]), to_bf16(a[1])}, y[2] = {to_bf16(b[0]), to_bf16(b[1])};
  MatmulArgs args{.a = {x, {1, 2}, {2, 1}, 2, DType::bf16},
                  .b = {y, {2, 1}, {1, 2}, 2, DType::bf16},
                  .c = {&sum, {1, 1}, {1, 1}, 2, DType::f32},
                  .accumulate = true};
  std::vector<char> memory(static_cast<std::size_t>(matmul_workspace(args)) + 64);
  args.workspace = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  args.workspace_bytes = static_cast<std::int64_t>(memory.size()) - 64;
  matmul(args);
  return sum;
}

TEST(MatmulPairs, DenormalsAreZeroAndTheOddProductComesFirst) {
  if (isa() < Isa::avx512_bf16) GTEST_SKIP() << "AVX512-BF16 is absent or switched off";
  EXPECT_EQ(one_pair(0x1p-130f, {0, 0}, {0, 0}), 0.0f);                       // denormal sum
  EXPECT_EQ(one_pair(0, {0x1p-130f, 0}, {0x1p100f, 0}), 0.0f);                // denormal operand
  EXPECT_EQ(one_pair(0, {0x1p-64f, 0x1p-64f}, {0x1p-63f, 0x1p-63f}), 0.0f);   // denormal products
  EXPECT_EQ(one_pair(0x1p-126f, {0x1p-70f, 0}, {0x1p-60f, 0}), 0x1.1p-126f);  // yet fused
  EXPECT_EQ(one_pair(0x1.8p-126f, {0x1p-63f, -0x1p-63f}, {0x1p-63f, 0x1p-63f}), 0x1p-126f);
  EXPECT_EQ(one_pair(0x1.8p-126f, {-0x1p-63f, 0x1p-63f}, {0x1p-63f, 0x1p-63f}), 0x1.8p-126f);
  EXPECT_EQ(one_pair(0, {3e38f, 3e38f}, {3e38f, -3e38f}), -INFINITY);
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
