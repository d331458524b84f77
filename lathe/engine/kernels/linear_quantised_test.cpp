// Products with quantised weights: every instruction set against the plain loop by bits, extremes
// of every type, one row alone as in a batch, and how far quantised activations are from exact.
#include "lathe/engine/kernels/linear_quantised.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/engine/kernels/float16.h"

namespace lathe::kernels {
namespace vnni_simde {  // linear_quantised_vnni.cpp with the instruction emulated, in this binary
                        // only
std::int64_t linear_quantised_workspace(const LinearQuantisedArgs& args) noexcept;
void linear_quantised(const LinearQuantisedArgs& args) noexcept;
}  // namespace vnni_simde

namespace {

View view(void* data, DType dtype, std::int64_t rows, std::int64_t columns) {
  View v;
  v.data = data;
  v.dtype = dtype;
  v.rank = 2;
  v.dims[0] = rows;
  v.dims[1] = columns;
  v.strides[0] = columns;
  v.strides[1] = 1;
  return v;
}

struct Case {
  QuantType type;
  std::int64_t m, n, k;
  bool exact = false, bias = false;
  DType dtype = DType::f32;

  std::string text() const {
    return std::string(name(type)) + " m " + std::to_string(m) + " n " + std::to_string(n) + " k " +
           std::to_string(k) + (exact ? " exact" : "") + (dtype == DType::bf16 ? " bf16" : "");
  }
};

/// Operands of a product, owned.
struct Operands {
  std::vector<char> x, y, workspace;
  std::vector<std::uint8_t> blocks;
  std::vector<float> bias;
  LinearQuantisedArgs args;

  explicit Operands(const Case& c) {
    const std::int64_t size = c.dtype == DType::bf16 ? 2 : 4;
    x.resize(static_cast<std::size_t>(c.m * c.k * size));
    y.assign(static_cast<std::size_t>(c.m * c.n * size), 0x55);
    blocks.resize(static_cast<std::size_t>(c.n * row_bytes(c.type, c.k)));
    const RandomStream random(5, "linear_quantised_test/" + c.text());
    std::vector<float> weights(static_cast<std::size_t>(c.k));
    for (std::int64_t i = 0; i < c.m * c.k; ++i)
      set_x(c.dtype, i, static_cast<float>(random.normal(static_cast<std::uint64_t>(i))));
    fill_blocks(c.type, random);
    for (std::int64_t i = 0; i < c.n && c.bias; ++i)
      bias.push_back(static_cast<float>(random.normal(static_cast<std::uint64_t>(i) + (1u << 30))));
    args.x = view(x.data(), c.dtype, c.m, c.k);
    args.y = view(y.data(), c.dtype, c.m, c.n);
    args.blocks = view(blocks.data(), DType::u8, c.n, row_bytes(c.type, c.k));
    args.type = c.type;
    args.exact = c.exact;
    if (c.bias) {
      args.bias = view(bias.data(), DType::f32, 1, c.n);
      args.bias.rank = 1;
      args.bias.dims[0] = c.n;
      args.bias.strides[0] = 1;
    }
  }

  void set_x(DType dtype, std::int64_t i, float value) {
    if (dtype == DType::bf16) {
      reinterpret_cast<bf16_t*>(x.data())[i] = to_bf16(value);
    } else {
      reinterpret_cast<float*>(x.data())[i] = value;
    }
  }

  /// Random bytes: every pattern of bits is a valid block. Scales become moderate in most of them.
  void fill_blocks(QuantType type, const RandomStream& random) {
    for (std::size_t i = 0; i < blocks.size(); ++i)
      blocks[i] = static_cast<std::uint8_t>(random.below(256, i + (1u << 28)));
    const auto size = static_cast<std::size_t>(block_bytes(type));
    for (std::size_t at = 0; at < blocks.size(); at += size) set_scale(type, at, 0.01f);
  }

  /// Scale and unit of minima of the block at a byte offset.
  void set_scale(QuantType type, std::size_t at, float value) {
    const f16_t half = to_f16(value);
    const auto put = [&](int place) {
      std::memcpy(&blocks[at + static_cast<std::size_t>(place)], &half, 2);
    };
    if (type == QuantType::mxfp4) {
      blocks[at] = 120;
    } else if (type == QuantType::q2_k) {
      put(80), put(82);
    } else if (type == QuantType::q3_k) {
      put(108);
    } else if (type == QuantType::q6_k) {
      put(208);
    } else {
      put(0);
      if (has_minimum(type)) put(2);
    }
  }

  std::vector<char> run(void (*kernel)(const LinearQuantisedArgs&) noexcept,
                        std::int64_t (*bytes)(const LinearQuantisedArgs&) noexcept) {
    workspace.assign(static_cast<std::size_t>(bytes == nullptr ? 0 : bytes(args)) + 64, 0x7F);
    const auto start = reinterpret_cast<std::uintptr_t>(workspace.data());
    args.workspace = workspace.data() + (64 - start % 64) % 64;
    args.workspace_bytes = static_cast<std::int64_t>(workspace.size()) - 64;
    std::fill(y.begin(), y.end(), 0x55);
    kernel(args);
    return y;
  }
};

bool same_floats(const std::vector<char>& a, const std::vector<char>& b) {
  for (std::size_t i = 0; i + 4 <= a.size(); i += 4) {
    float x, y;
    std::memcpy(&x, &a[i], 4);
    std::memcpy(&y, &b[i], 4);
    if (std::isnan(x) && std::isnan(y)) continue;
    if (std::memcmp(&x, &y, 4) != 0) return false;
  }
  return a.size() == b.size();
}

struct Level {
  const char* name;
  void (*kernel)(const LinearQuantisedArgs&) noexcept;
  std::int64_t (*workspace)(const LinearQuantisedArgs&) noexcept;
};

std::vector<Level> levels() {
  std::vector<Level> all = {
      {"avx2", avx2::linear_quantised, avx2::linear_quantised_workspace},
      {"emulated VNNI", vnni_simde::linear_quantised, vnni_simde::linear_quantised_workspace}};
  if (runs(Isa::avx2_vnni))
    all.push_back(
        {"avx2_vnni", avx2_vnni::linear_quantised, avx2_vnni::linear_quantised_workspace});
  if (best_isa() >= Isa::avx512)
    all.push_back({"avx512", avx512::linear_quantised, avx512::linear_quantised_workspace});
  if (best_isa() >= Isa::avx512_vnni)
    all.push_back(
        {"avx512_vnni", avx512_vnni::linear_quantised, avx512_vnni::linear_quantised_workspace});
  return all;
}

void expect_one_result(Operands& o, const std::string& text,
                       std::initializer_list<int> threads = {1}) {
  const auto truth = o.run(reference::linear_quantised, nullptr);
  const auto same = [&](const std::vector<char>& got) {
    return o.args.y.dtype == DType::f32 ? same_floats(got, truth) : got == truth;
  };
  for (const int count : threads) {
    set_thread_count(count);
    for (const Level& level : levels())
      EXPECT_TRUE(same(o.run(level.kernel, level.workspace)))
          << text << ", " << count << " threads, " << level.name;
  }
}

class LinearQuantised : public ::testing::TestWithParam<int> {
 protected:
  QuantType type() const { return static_cast<QuantType>(GetParam()); }
  int block() const { return block_elements(type()); }
  void TearDown() override { set_thread_count(threads_); }
  int threads_ = thread_count();
};

TEST(LinearQuantisedLevels, AreAllTested) {
  if (best_isa() < Isa::avx512_vnni || !runs(Isa::avx2_vnni))
    GTEST_SKIP() << "this processor lacks AVX512-VNNI or AVX-VNNI: only the emulation is tested";
}

TEST_P(LinearQuantised, EveryInstructionSetGivesTheBitsOfThePlainLoop) {
  for (const std::int64_t m : {1, 2, 5, 6, 7, 19}) {
    for (const std::int64_t n : {1, 16, 33, 70}) {
      Case c{type(), m, n, block() * (1 + n % 3)};
      c.bias = m % 2 == 0;
      Operands o(c);
      expect_one_result(o, c.text());
    }
  }
}

TEST_P(LinearQuantised, ExactTooAndInBf16) {
  for (const bool exact : {false, true}) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const Case c{type(), 9, 37, 2 * block(), exact, true, dtype};
      Operands o(c);
      expect_one_result(o, c.text(), {3});
    }
  }
}

TEST_P(LinearQuantised, ManyTokensAndPartsOfThem) {
  const Case c{type(), 130, 300, block()};
  Operands o(c);
  expect_one_result(o, c.text(), {1, 3});
}

/// Bytes of all ones and all zeros are the largest and the least q of every type, 0x80 repeated is
/// -128 in Q8_0; activations at both ends of their range, alternating or alike, make the largest
/// sums there are.
TEST_P(LinearQuantised, NoSumSaturates) {
  for (const int pattern : {0x00, 0xFF, 0x80, 0x7F, 0x77, 0x88, 0xF0, 0x0F}) {
    for (const int signs : {0, 1, 2, 3, 4, 5, 6, 7}) {
      const Case c{type(), signs < 4 ? 7 : 1, 33, 2 * block()};
      Operands o(c);
      std::memset(o.blocks.data(), pattern, o.blocks.size());
      const auto size = static_cast<std::size_t>(block_bytes(type()));
      for (std::size_t at = 0; at < o.blocks.size(); at += size) o.set_scale(type(), at, 0.5f);
      for (std::int64_t i = 0; i < c.m * c.k; ++i) {
        const bool negative =
            signs % 4 == 1 || (signs % 4 == 2 && i % 2 == 1) || (signs % 4 == 3 && i % 4 > 1);
        o.set_x(DType::f32, i, negative ? -3.0f : 3.0f);
      }
      expect_one_result(o, c.text() + " pattern " + std::to_string(pattern));
    }
  }
}

TEST_P(LinearQuantised, StrangeScalesAndActivations) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float strange[] = {kInfinity, -kInfinity, std::nanf(""), 0.0f,
                           -0.0f,     1e-40f,     -6e-8f,        65504};
  for (const float scale : strange) {
    for (const std::int64_t m : {1, 3}) {
      const Case c{type(), m, 20, 2 * block()};
      Operands o(c);
      o.set_scale(type(), 0, scale);
      expect_one_result(o, c.text() + " scale " + std::to_string(scale));
    }
  }
  for (const float x : {kInfinity, -kInfinity, std::nanf(""), 1e-40f, 1e-30f, 3e38f, -0.0f}) {
    const Case c{type(), 3, 20, 2 * block()};
    Operands o(c);
    o.set_x(DType::f32, 5, x);
    for (int i = 32; i < 64; ++i) o.set_x(DType::f32, i, x);
    expect_one_result(o, c.text() + " activation " + std::to_string(x));
  }
}

/// Three weights of different types with the same activations, and with different ones; the later
/// ones need larger buffers. Nothing is written behind a workspace.
TEST(LinearsQuantised, GiveWhatEachGivesAlone) {
  constexpr std::size_t kBehind = 4096;
  const QuantType types[] = {QuantType::q8_0, QuantType::q6_k, QuantType::q5_k};
  const int threads = thread_count();
  for (const std::int64_t m : {1, 5, 40}) {
    for (const bool same : {true, false}) {
      set_thread_count(same ? 3 : 1);
      std::vector<Operands> all;
      all.reserve(3);
      for (const QuantType type : types)
        all.emplace_back(Case{type, m, 300 + 16 * m, 512, false, true});
      std::vector<std::vector<char>> truth;
      std::vector<LinearQuantisedArgs> args;
      for (Operands& o : all) {
        if (same) o.args.x.data = all[0].x.data();
        truth.push_back(o.run(reference::linear_quantised, nullptr));
        const std::int64_t bytes = linear_quantised_workspace(o.args);
        o.workspace.assign(static_cast<std::size_t>(bytes) + 64 + kBehind, 0x7F);
        const auto start = reinterpret_cast<std::uintptr_t>(o.workspace.data());
        o.args.workspace = o.workspace.data() + (64 - start % 64) % 64;
        o.args.workspace_bytes = bytes;
        std::fill(o.y.begin(), o.y.end(), 0x55);
        args.push_back(o.args);
      }
      linears_quantised(args);
      for (std::size_t i = 0; i < all.size(); ++i) {
        const std::vector<char>& w = all[i].workspace;
        const std::string text = std::string(name(types[i])) + " m " + std::to_string(m);
        EXPECT_EQ(all[i].y, truth[i]) << text << (same ? " shared" : "");
        EXPECT_EQ(std::count(w.end() - kBehind, w.end(), 0x7F), kBehind) << text;
      }
    }
  }
  set_thread_count(threads);
}

TEST_P(LinearQuantised, ATokenAloneGivesItsRowOfABatch) {
  const Case c{type(), 11, 50, 3 * block()};
  Operands batch(c);
  const auto all = batch.run(linear_quantised, linear_quantised_workspace);
  for (std::int64_t m = 0; m < c.m; ++m) {
    Operands one({type(), 1, c.n, c.k});
    one.blocks = batch.blocks;
    one.args.blocks.data = one.blocks.data();
    std::memcpy(one.x.data(), batch.x.data() + m * c.k * 4, one.x.size());
    const auto row = one.run(linear_quantised, linear_quantised_workspace);
    EXPECT_EQ(std::memcmp(row.data(), all.data() + m * c.n * 4, row.size()), 0) << m;
  }
}

/// The product in full at every level against its plain loop: two digits where the type has them.
TEST_P(LinearQuantised, DigitsArePutTogetherAlikeAtEveryLevel) {
  const auto plain = activation_digits(type()) == 2 ? reference::linear_in_two_digits
                                                    : reference::linear_quantised;
  for (const std::int64_t m : {1, 3, 40}) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const Case c{type(), m, 37, 2 * block(), false, m != 3, dtype};
      Operands o(c);
      if (m == 3) o.set_x(dtype, 5, std::numeric_limits<float>::infinity());
      if (m == 3) o.set_x(dtype, 70, 1e-38f);
      const auto truth = o.run(plain, nullptr);
      const auto same = [&](const std::vector<char>& got) {
        return dtype == DType::f32 ? same_floats(got, truth) : got == truth;
      };
      for (const Isa level :
           {Isa::reference, Isa::avx2, Isa::avx2_vnni, Isa::avx512, Isa::avx512_vnni}) {
        if (!set_isa(level)) continue;  // named by LinearQuantisedLevels
        set_thread_count(1 + static_cast<int>(m % 2));
        EXPECT_TRUE(same(o.run(linear_quantised, linear_quantised_workspace)))
            << c.text() << " " << name(level);
        EXPECT_TRUE(same(o.run(linear_quantised, nullptr))) << "without workspace " << c.text();
      }
      set_isa(best_isa());
    }
  }
}

/// Rounding activations to 255 steps of a block of normal numbers costs about 0.4% of the output's
/// standard deviation (largest measured of all types: 0.0047), in two digits 2e-5.
TEST_P(LinearQuantised, QuantisedActivationsStayNearExactOnes) {
  Case c{type(), 16, 64, 4 * block()};
  Operands o(c);
  const auto got = o.run(linear_quantised, linear_quantised_workspace);
  o.args.exact = true;
  const auto exact = o.run(linear_quantised, linear_quantised_workspace);
  double error = 0, size = 0;
  for (std::int64_t i = 0; i < c.m * c.n; ++i) {
    float a, b;
    std::memcpy(&a, &got[static_cast<std::size_t>(4 * i)], 4);
    std::memcpy(&b, &exact[static_cast<std::size_t>(4 * i)], 4);
    error += (a - b) * (a - b);
    size += b * b;
  }
  const double relative = std::sqrt(error / size);
  const bool two = activation_digits(type()) == 2;
  EXPECT_LT(relative, two ? 4e-5 : 0.008);
  EXPECT_GT(relative, two ? 0 : 1e-4);  // else nothing was rounded
}

TEST_P(LinearQuantised, TheGradientIsTheProductWithTheDequantisedRows) {
  const std::int64_t m = 5, n = 150, k = 2 * block();
  Operands o({type(), m, k, k});  // x [M,N] and y [M,K] are replaced
  std::vector<float> dy(static_cast<std::size_t>(m * n)), dx(static_cast<std::size_t>(m * k));
  for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = static_cast<float>(i % 7) - 3.0f;
  o.blocks.assign(static_cast<std::size_t>(n * row_bytes(type(), k)), 0x3B);
  o.args.blocks = view(o.blocks.data(), DType::u8, n, row_bytes(type(), k));
  o.args.x = view(dy.data(), DType::f32, m, n);
  o.args.y = view(dx.data(), DType::f32, m, k);
  o.run(reference::linear_quantised_back, nullptr);
  const std::vector<float> truth = dx;
  for (const Isa level : {Isa::avx2, Isa::avx2_vnni, Isa::avx512, Isa::avx512_bf16}) {
    if (!set_isa(level)) continue;  // named by LinearQuantisedLevels
    o.run(linear_quantised_back, linear_quantised_back_workspace);
    EXPECT_EQ(std::memcmp(dx.data(), truth.data(), dx.size() * 4), 0) << name(level);
  }
  set_isa(best_isa());
}

INSTANTIATE_TEST_SUITE_P(Types, LinearQuantised, ::testing::Range(0, kQuantTypes),
                         [](const ::testing::TestParamInfo<int>& info) {
                           return std::string(name(static_cast<QuantType>(info.param)));
                         });

}  // namespace
}  // namespace lathe::kernels
