// Int8 products: every instruction set against the plain loop by bits, both layouts of the weight,
// sums at the ends of their range, rows without a scale, and how far rounding leads from exact.
#include "lathe/engine/kernels/linear_int8.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "lathe/engine/kernels/rows_testing.h"

namespace lathe::kernels {
namespace vnni_simde {  // linear_int8_vnni.cpp with the instruction emulated, in this binary only
std::int64_t linear_int8_workspace(const LinearInt8Args& args) noexcept;
void linear_int8(const LinearInt8Args& args) noexcept;
}  // namespace vnni_simde

namespace {

using testing::Array;

struct Case {
  std::int64_t m, n, k;
  bool turned = false, bias = false;  // turned: the weight's outputs are adjacent, [K,N]
  DType x = DType::f32, w = DType::f32;

  std::string text() const {
    return fmt::format("m {} n {} k {}{}{} {} {}", m, n, k, turned ? " turned" : "",
                       bias ? " bias" : "", name(x), name(w));
  }
};

using Kernel = void (*)(const LinearInt8Args&) noexcept;
using Workspace = std::int64_t (*)(const LinearInt8Args&) noexcept;

struct Operands {
  Case c;
  Array x, w, bias;

  explicit Operands(const Case& of)
      : c(of),
        x(Array::random(c.x, {c.m, c.k}, 1)),
        w(Array::random(c.w, c.turned ? std::vector{c.k, c.n} : std::vector{c.n, c.k}, 2, 0.02)),
        bias(Array::random(c.x, {c.n}, 3)) {}

  /// Element (n, k) of the weight.
  std::int64_t place(std::int64_t n, std::int64_t k) const {
    return c.turned ? k * c.n + n : n * c.k + k;
  }

  Array run(Kernel kernel, Workspace workspace) const {
    Array y(c.x, {c.m, c.n});
    y.fill(-77);
    LinearInt8Args args{.x = x.view(), .w = w.view(), .y = y.view()};
    if (c.turned) {
      std::swap(args.w.dims[0], args.w.dims[1]);
      std::swap(args.w.strides[0], args.w.strides[1]);
    }
    if (c.bias) args.bias = bias.view();
    args.workspace_bytes = workspace == nullptr ? 0 : workspace(args);
    std::vector<char> bytes(static_cast<std::size_t>(args.workspace_bytes) + 128, 0x7F);
    const auto start = reinterpret_cast<std::uintptr_t>(bytes.data());
    args.workspace = bytes.data() + (64 - start % 64) % 64;
    kernel(args);
    const char* guard = static_cast<char*>(args.workspace) + args.workspace_bytes;
    for (const char* p = guard; p < bytes.data() + bytes.size(); ++p) EXPECT_EQ(*p, 0x7F);
    return y;
  }
};

struct Level {
  const char* name;
  Kernel kernel;
  Workspace workspace;
};

std::vector<Level> levels() {
  std::vector<Level> all = {
      {"avx2", avx2::linear_int8, avx2::linear_int8_workspace},
      {"emulated VNNI", vnni_simde::linear_int8, vnni_simde::linear_int8_workspace}};
  if (best_isa() >= Isa::avx512)
    all.push_back({"avx512", avx512::linear_int8, avx512::linear_int8_workspace});
  if (runs(Isa::avx2_vnni))
    all.push_back({"avx2_vnni", avx2_vnni::linear_int8, avx2_vnni::linear_int8_workspace});
  if (best_isa() >= Isa::avx512_vnni)
    all.push_back({"avx512_vnni", avx512_vnni::linear_int8, avx512_vnni::linear_int8_workspace});
  return all;
}

void expect_one_result(const Operands& o, const std::string& text,
                       std::initializer_list<int> threads = {1}) {
  const Array truth = o.run(reference::linear_int8, nullptr);
  for (const int count : threads) {
    set_thread_count(count);
    for (const Level& level : levels()) {
      const Array fast = o.run(level.kernel, level.workspace);
      EXPECT_TRUE(fast.guard_is_intact()) << text << ", " << level.name;
      const std::int64_t i = truth.first_difference(fast);
      EXPECT_EQ(i, -1) << text << ", " << count << " threads, " << level.name << ": " << fast.at(i)
                       << ", plain loop " << truth.at(i);
    }
  }
}

class LinearInt8 : public ::testing::TestWithParam<bool> {
 protected:
  void TearDown() override { set_thread_count(threads_); }
  int threads_ = thread_count();
};

TEST(LinearInt8Levels, AreAllTested) {
  if (best_isa() < Isa::avx512_vnni || !runs(Isa::avx2_vnni))
    GTEST_SKIP() << "this processor lacks AVX512-VNNI or AVX-VNNI: only the emulation is tested";
}

TEST_P(LinearInt8, EveryInstructionSetGivesTheBitsOfThePlainLoop) {
  for (const std::int64_t m : {1, 5, 6, 7, 19}) {
    for (const std::int64_t n : {1, 16, 33, 70}) {
      for (const std::int64_t k : {1, 2, 3, 4, 15, 17, 32, 65, 130}) {
        const Case c{m, n, k, GetParam(), m % 2 == 0};
        expect_one_result(Operands(c), c.text());
      }
    }
  }
}

/// More than one range of k, group of tokens and strip of panels.
TEST_P(LinearInt8, LargeOnesOnSeveralThreads) {
  for (const Case& base : {Case{70, 130, 1500}, Case{700, 40, 320}, Case{33, 300, 2100}}) {
    Case c = base;
    c.turned = GetParam();
    expect_one_result(Operands(c), c.text(), {1, 3});
  }
}

TEST_P(LinearInt8, HalvesAreWidenedAndRoundedOnce) {
  for (const auto& [x, w] : {std::pair{DType::bf16, DType::bf16}, {DType::f32, DType::bf16}}) {
    const Case c{21, 50, 100, GetParam(), true, x, w};
    expect_one_result(Operands(c), c.text(), {3});
  }
}

TEST_P(LinearInt8, SizesMayBeZero) {
  for (const Case& base : {Case{0, 5, 7}, Case{5, 0, 7}, Case{5, 20, 0}, Case{0, 0, 0}}) {
    Case c = base;
    c.turned = GetParam(), c.bias = true;
    expect_one_result(Operands(c), c.text());
  }
}

/// All q at an end of their range: the largest sums there are, of either sign and in pairs too, up
/// to the last k that fits into 32 bits.
TEST_P(LinearInt8, NoSumSaturates) {
  for (const std::int64_t k : {std::int64_t{36}, kMostInt8K}) {
    for (const int signs : {0, 1, 2, 3}) {
      const Case c{1, 17, k, GetParam()};
      Operands o(c);
      for (std::int64_t i = 0; i < k; ++i)
        o.x.set(i, signs == 1 || (signs == 2 && i % 2 == 1) || (signs == 3 && i % 4 > 1) ? -3 : 3);
      o.w.fill(signs % 2 == 0 ? 0.5 : -0.5);
      expect_one_result(o, c.text() + " signs " + std::to_string(signs));
      if (signs != 1) continue;  // 127 * 63 * k, times both scales
      const double y = o.run(linear_int8, linear_int8_workspace).at(0);
      EXPECT_NEAR(y, 1.5 * static_cast<double>(k), 1e-6 * static_cast<double>(k));
    }
  }
}

TEST_P(LinearInt8, LongerOnesTakeThePlainLoop) {
  const Case c{2, 3, kMostInt8K + 1, GetParam()};
  Operands o(c);
  o.x.fill(1), o.w.fill(1);
  EXPECT_EQ(o.run(linear_int8, linear_int8_workspace)
                .first_difference(o.run(reference::linear_int8, nullptr)),
            -1);
}

TEST_P(LinearInt8, RowsWithoutAScale) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double strange[] = {kInfinity, -kInfinity, std::nan(""), 0.0, -0.0, 1e-40, 3e38, 1e-31};
  for (const double value : strange) {
    for (const bool in_weight : {false, true}) {
      const Case c{7, 20, 40, GetParam()};
      Operands o(c);
      const std::int64_t row = 3;
      for (std::int64_t k = 0; k < c.k; ++k) {  // the row holds nothing else, or one of it
        if (std::isfinite(value) || k == 5)
          in_weight ? o.w.set(o.place(row, k), value) : o.x.set(row * c.k + k, value);
      }
      expect_one_result(o, fmt::format("{} {} in {}", c.text(), value, in_weight ? "w" : "x"));
      const Array y = o.run(linear_int8, linear_int8_workspace);
      const bool small = std::abs(value) < 1e-30;
      for (std::int64_t m = 0; m < c.m; ++m) {
        for (std::int64_t n = 0; n < c.n; ++n) {
          const bool meets = in_weight ? n == row : m == row;
          const double got = y.at(m * c.n + n);
          EXPECT_EQ(std::isnan(got), meets && !std::isfinite(value))
              << value << " " << m << " " << n;
          if (meets && small) {
            EXPECT_EQ(got, 0) << value;
          }
        }
      }
    }
  }
}

TEST_P(LinearInt8, ATokenAloneGivesItsRowOfABatch) {
  const Case c{23, 50, 100, GetParam()};
  const Operands batch(c);
  const Array all = batch.run(linear_int8, linear_int8_workspace);
  for (std::int64_t m = 0; m < c.m; ++m) {
    Operands one({1, c.n, c.k, c.turned});
    one.w = batch.w;
    for (std::int64_t k = 0; k < c.k; ++k) one.x.set(k, batch.x.at(m * c.k + k));
    const Array row = one.run(linear_int8, linear_int8_workspace);
    for (std::int64_t n = 0; n < c.n; ++n) EXPECT_EQ(row.at(n), all.at(m * c.n + n)) << m;
  }
}

TEST_P(LinearInt8, WithoutWorkspaceTooThoughSlowly) {
  const Operands o({9, 20, 33, GetParam()});
  for (const Level& level : levels())
    EXPECT_EQ(o.run(reference::linear_int8, nullptr).first_difference(o.run(level.kernel, nullptr)),
              -1);
}

/// Of normal numbers a row of 512 has its largest near 3.2. So a step of x is 3.2/127 = 0.025 and
/// rounding deviates by 0.0073, of w it is twice that: together 1.6% of the output's deviation.
TEST_P(LinearInt8, StaysNearTheExactProduct) {
  const Case c{16, 64, 512, GetParam()};
  const Operands o(c);
  const Array y = o.run(linear_int8, linear_int8_workspace);
  double error = 0, size = 0;
  for (std::int64_t m = 0; m < c.m; ++m) {
    for (std::int64_t n = 0; n < c.n; ++n) {
      double exact = 0;
      for (std::int64_t k = 0; k < c.k; ++k) exact += o.x.at(m * c.k + k) * o.w.at(o.place(n, k));
      error += std::pow(y.at(m * c.n + n) - exact, 2);
      size += exact * exact;
    }
  }
  const double relative = std::sqrt(error / size);
  EXPECT_NEAR(relative, 0.016, 0.003);
}

INSTANTIATE_TEST_SUITE_P(Layouts, LinearInt8, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& info) {
                           return info.param ? "turned" : "rows";
                         });

}  // namespace
}  // namespace lathe::kernels
