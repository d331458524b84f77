#include "lathe/engine/kernels/bf16_codes.h"

#include <array>

#include "lathe/engine/kernels/matmul_testing.h"

namespace lathe::kernels {
namespace {

using namespace testing_matmul;

class Bf16CodesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!reads_bf16_codes())
      GTEST_SKIP() << "products read bf16 as it lies on " << name(isa()) << "; codes are of AVX2";
  }
};

/// Rows [N,K] of weights as they are trained, with `odd` values that no table has, and their codes.
struct Coded {
  Coded(std::int64_t n, std::int64_t k, std::int64_t odd)
      : weights(make("w", Layout::rows, DType::bf16, 0, n, k)),
        columns(k),
        records(static_cast<std::size_t>(Bf16Codes::records(n) * Bf16Codes{k}.record_bytes())) {
    constexpr std::array kOdd = {0x7F80, 0xFF80, 0x7FC1, 0x0001, 0x8000, 0x7F7F, 0x00FF, 0x2345};
    auto* bits = weights.view.as<std::uint16_t>();
    for (std::int64_t i = 0; i < odd; ++i)  // in the corners first
      bits[i % 4 < 2 ? i * 7 % (n * k) : n * k - 1 - i * 5 % (n * k)] =
          static_cast<std::uint16_t>(kOdd[static_cast<std::size_t>(i) % kOdd.size()]);
    written = encode_bf16(weights.view, records.data());
  }
  std::uint16_t bits(std::int64_t row, std::int64_t k) const {
    return weights.view.as<std::uint16_t>()[row * columns + k];
  }

  Matrix weights;
  std::int64_t columns;
  std::vector<char> records;
  bool written = false;
};

TEST_F(Bf16CodesTest, EveryElementComesBack) {
  for (const std::int64_t n : {1, 8, 31, 32, 33, 70, 200})
    for (const std::int64_t k : {1, 7, 15, 16, 17, 64, 129, 600})
      for (const std::int64_t odd : {0, 1, 2}) {
        const Coded x(n, k, odd);
        ASSERT_TRUE(x.written) << n << " x " << k << ", " << odd;
        for (std::int64_t row = 0; row < n; ++row)
          for (std::int64_t column = 0; column < k; ++column)
            ASSERT_EQ(decode_bf16(x.records.data(), k, row, column), x.bits(row, column))
                << n << " x " << k << ", " << odd << ": " << row << ", " << column;
      }
}

TEST_F(Bf16CodesTest, RecordsTakeUpToAllTheirExceptionsAndRefuseMore) {
  const std::int64_t k = 320, most = Bf16Codes{k}.most_exceptions();
  for (const std::int64_t odd : {most, most + 1}) {
    Coded x(32, k, 0);  // its upper bytes are at most sixteen or nearly so
    auto* bits = x.weights.view.as<std::uint16_t>();
    for (std::int64_t i = 0; i < 32 * k; ++i)
      bits[i] = static_cast<std::uint16_t>(0x3F00 + i % 256);
    for (std::int64_t i = 0; i < 15; ++i)
      for (std::int64_t j = 0; j < 20; ++j)  // fifteen more bytes that are frequent
        bits[1000 + 20 * i + j] = static_cast<std::uint16_t>((0x10 + i) << 8);
    for (std::int64_t i = 0; i < odd; ++i) bits[31 * i] = static_cast<std::uint16_t>(0x8001 + i);
    EXPECT_EQ(encode_bf16(x.weights.view, x.records.data()), odd == most);
    if (odd > most) continue;
    for (std::int64_t i = 0; i < 32 * k; ++i)
      ASSERT_EQ(decode_bf16(x.records.data(), k, i / k, i % k), bits[i]) << i;
  }
}

/// The product reads the codes alone: the weight itself is NaN.
TEST_F(Bf16CodesTest, ProductsHaveTheBitsOfTheWeight) {
  const int threads_before = thread_count();
  for (const std::int64_t n : {1, 16, 17, 33, 96, 330})
    for (const std::int64_t k : {1, 8, 33, 576, 1400})
      for (const std::int64_t m : {1, 2, 3, 7, 40})
        for (const bool special : {false, true}) {
          const Coded w(n, k, k > 1 ? 2 : 0);
          ASSERT_TRUE(w.written);
          const DType in = special ? DType::bf16 : DType::f32;
          const Matrix a = make("a", special ? Layout::collide : Layout::rows, in, 0, m, k);
          const Matrix c = make("c", Layout::rows, special ? DType::bf16 : DType::f32, 0, m, n);
          const Matrix bias = make("bias", Layout::rows, DType::f32, 0, 1, n);
          MatmulArgs args{.a = a.view, .b = w.weights.view, .accumulate = !special};
          std::swap(args.b.dims[0], args.b.dims[1]);
          std::swap(args.b.strides[0], args.b.strides[1]);
          if (special) {
            args.bias = bias.view;
            args.bias.rank = 1;
            args.bias.dims[0] = n, args.bias.strides[0] = 1;
          }
          const auto expected = product(args, c, reference::matmul, nullptr);
          std::vector<bf16_t> nothing(static_cast<std::size_t>(n * k), bf16_t{0x7FFF});
          args.b.data = nothing.data();
          args.b_codes = {.data = const_cast<char*>(w.records.data()),
                          .dims = {Bf16Codes::records(n), Bf16Codes{k}.record_bytes()},
                          .strides = {Bf16Codes{k}.record_bytes(), 1},
                          .rank = 2,
                          .dtype = DType::u8};
          for (const int threads : {1, 3}) {
            set_thread_count(threads);
            // A plan is made before there is memory; with less workspace the plain loop would run.
            MatmulArgs planned = args;
            planned.a.data = planned.b.data = planned.b_codes.data = nullptr;
            ASSERT_EQ(matmul_workspace(planned), matmul_workspace(args));
            const auto got = product(args, c, matmul, matmul_workspace);
            ASSERT_EQ(first_difference(expected, got, c.view.dtype), -1)
                << m << " x " << n << " x " << k << ", " << threads << " threads, " << special;
          }
        }
  set_thread_count(threads_before);
}

}  // namespace
}  // namespace lathe::kernels
