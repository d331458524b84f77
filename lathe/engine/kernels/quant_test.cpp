// Blocks against values worked out by hand and against checksums of ggml's results; error bounds.
#include "lathe/engine/kernels/quant.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/engine/kernels/float16.h"

namespace lathe::kernels {
namespace {

/// The inputs of the checksums: a generator so small that any language repeats it.
class Numbers {
 public:
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(state_ >> 33);
  }
  /// Sums of four uniform draws, of a scale that changes from block to block.
  float value(int block) {
    float sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<float>(next() % 65536) / 65536.0f - 0.5f;
    return std::ldexp(sum, block % 23 - 14);
  }

 private:
  std::uint64_t state_ = 42;
};

std::uint64_t fnv(const void* data, std::size_t bytes) {
  std::uint64_t hash = 14695981039346656037u;
  for (std::size_t i = 0; i < bytes; ++i)
    hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211u;
  return hash;
}

constexpr int kBlocks = 512;

std::uint64_t dequantised_checksum(QuantType type) {
  Numbers numbers;
  std::vector<std::uint8_t> blocks(static_cast<std::size_t>(kBlocks * block_bytes(type)));
  for (auto& byte : blocks) byte = static_cast<std::uint8_t>(numbers.next());
  std::vector<float> values(static_cast<std::size_t>(kBlocks * block_elements(type)));
  dequantise_row(type, blocks.data(), values.data(), std::ssize(values));
  for (float& x : values)
    if (std::isnan(x)) x = 0.0f;
  return fnv(values.data(), values.size() * 4);
}

std::uint64_t quantised_checksum(QuantType type) {
  Numbers numbers;
  std::vector<float> values(static_cast<std::size_t>(kBlocks * block_elements(type)));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = numbers.value(static_cast<int>(i / 32));
  std::vector<std::uint8_t> blocks(static_cast<std::size_t>(kBlocks * block_bytes(type)));
  quantise_row(type, values.data(), blocks.data(), std::ssize(values));
  return fnv(blocks.data(), blocks.size());
}

/// What ggml's dequantize_row_* and quantize_row_*_ref give for the same numbers (llama.cpp in
/// llama-cpp-python 0.3.36, gcc -O2, x86-64). 0: not written.
struct Checksums {
  QuantType type;
  std::uint64_t dequantised, quantised;
};
constexpr Checksums kGgml[] = {
    {QuantType::q4_0, 0x6401ddfd8f922082, 0x2425197b8d25b35e},
    {QuantType::q4_1, 0xa1aabe803fc6a503, 0xaab6684275bfde8f},
    {QuantType::q5_0, 0xad7885b6efcd4a8d, 0xb5a8224a51eb6449},
    {QuantType::q5_1, 0xfb60d1c666654b77, 0x458278d5ac038129},
    {QuantType::q8_0, 0xcf030ffa79653f8a, 0x01720416c61fb257},
    {QuantType::q2_k, 0x8e225eeff6a3028b, 0},
    {QuantType::q3_k, 0x0b0e13bee9b41f4a, 0},
    {QuantType::q4_k, 0xfce971b1ee071a28, 0x948f506a3ca5615f},
    {QuantType::q5_k, 0x5062399353251c6c, 0x6777830d50845123},
    {QuantType::q6_k, 0x9f18ed2971f10ac6, 0x7f6269dfc37bcf9f},
    {QuantType::iq4_nl, 0x5351b7f48d89528a, 0},
    {QuantType::mxfp4, 0xc4bb29a562b2c368, 0},
};

TEST(Quant, DequantisesToTheBitsOfGgml) {
  for (const Checksums& c : kGgml)
    EXPECT_EQ(dequantised_checksum(c.type), c.dequantised) << name(c.type);
}

TEST(Quant, QuantisesToTheBytesOfGgml) {
  for (const Checksums& c : kGgml) {
    EXPECT_EQ(format(c.type).writable, c.quantised != 0) << name(c.type);
    if (c.quantised == 0) continue;
    EXPECT_EQ(quantised_checksum(c.type), c.quantised) << name(c.type);
  }
}

TEST(Quant, NamesInAnyCase) {
  for (int i = 0; i < kQuantTypes; ++i) {
    const auto type = static_cast<QuantType>(i);
    std::string small(name(type));
    for (char& c : small) c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(quant_type(name(type)), type);
    EXPECT_EQ(quant_type(small), type);
  }
  EXPECT_EQ(quant_type("Q4_K_M"), std::nullopt);
  EXPECT_EQ(quant_type("Q4_"), std::nullopt);
  EXPECT_EQ(quant_type(""), std::nullopt);
}

TEST(Quant, RowsAndBytes) {
  EXPECT_EQ(row_bytes(QuantType::q8_0, 576), 612);
  EXPECT_EQ(row_bytes(QuantType::q4_k, 1024), 576);
  EXPECT_EQ(row_elements(QuantType::q6_k, 420), 512);
}

void put_f16(std::vector<std::uint8_t>& block, std::size_t at, float x) {
  const f16_t half = to_f16(x);
  std::memcpy(&block[at], &half, 2);
}

std::vector<float> values_of(QuantType type, const std::vector<std::uint8_t>& block) {
  std::vector<float> out(static_cast<std::size_t>(block_elements(type)));
  dequantise_row(type, block.data(), out.data(), std::ssize(out));
  return out;
}

TEST(Quant, Q8_0ReachesMinus128) {
  std::vector<std::uint8_t> block(34, 0x80);
  put_f16(block, 0, 0.5f);
  for (const float x : values_of(QuantType::q8_0, block)) EXPECT_EQ(x, -64.0f);
}

TEST(Quant, HighBitsOfQ5LandWhereTheyBelong) {
  std::vector<std::uint8_t> block(22, 0);
  put_f16(block, 0, 1.0f);
  block[2] = 0x01;  // element 0
  block[5] = 0x80;  // element 31
  const auto values = values_of(QuantType::q5_0, block);
  for (int i = 0; i < 32; ++i)
    EXPECT_EQ(values[static_cast<std::size_t>(i)], i == 0 || i == 31 ? 0.0f : -16.0f) << i;
}

TEST(Quant, Mxfp4ExponentsAtBothEnds) {
  for (const auto& [e, unit] :
       {std::pair{0, 0x1p-128f}, {1, 0x1p-127f}, {2, 0x1p-126f}, {128, 1.0f}, {255, 0x1p127f}}) {
    std::vector<std::uint8_t> block(17, 0x92);  // low nibble 2: 2, high nibble 9: -1
    block[0] = static_cast<std::uint8_t>(e);
    const auto values = values_of(QuantType::mxfp4, block);
    EXPECT_EQ(values[0], 2 * unit) << e;
    EXPECT_EQ(values[16], -unit) << e;
  }
}

TEST(Quant, InfiniteAndNanScalesGiveWhatArithmeticGives) {
  std::vector<std::uint8_t> block(34, 0);
  block[1] = 0x7C;  // infinity
  block[2] = 1;
  auto values = values_of(QuantType::q8_0, block);
  EXPECT_TRUE(std::isinf(values[0]));
  EXPECT_TRUE(std::isnan(values[1]));  // infinity times 0
  block[1] = 0x7E;
  for (const float x : values_of(QuantType::q8_0, block)) EXPECT_TRUE(std::isnan(x));
}

/// Every q and every scale of every type by hand: the block taken apart agrees with the values.
TEST(Quant, DecodedBlocksAgreeWithValues) {
  Numbers numbers;
  for (int i = 0; i < kQuantTypes; ++i) {
    const auto type = static_cast<QuantType>(i);
    std::vector<std::uint8_t> block(static_cast<std::size_t>(block_bytes(type)));
    for (auto& byte : block) byte = static_cast<std::uint8_t>(numbers.next() % 120);
    DecodedBlock d;
    decode_block(type, block.data(), d);
    const auto values = values_of(type, block);
    for (std::size_t e = 0; e < values.size(); ++e) {
      const std::size_t g = e / static_cast<std::size_t>(scale_group(type));
      const float x = d.scale[g] * static_cast<float>(d.q[e]);
      EXPECT_EQ(values[e], has_minimum(type) ? x + d.minimum[g] : x) << name(type) << " " << e;
    }
  }
}

/// Largest error of normal numbers beside the largest magnitude of their block: half a step of the
/// type (a whole one where values are cut off) and the rounding of the scale, and for K-quants what
/// was measured (in brackets) with a margin.
TEST(Quant, RoundTripsWithinTheirError) {
  const struct {
    QuantType type;
    double bound;
  } kBounds[] = {{QuantType::q8_0, 0.5 / 127 + 0x1p-11},
                 {QuantType::q4_0, 1.0 / 8 * 1.01},
                 {QuantType::q5_0, 1.0 / 16 * 1.01},
                 {QuantType::q4_1, 1.0 / 15 * 1.02},
                 {QuantType::q5_1, 1.0 / 31 * 1.02},
                 {QuantType::q4_k, 0.13},
                 {QuantType::q5_k, 0.08},
                 {QuantType::q6_k, 0.04}};
  for (const auto& [type, bound] : kBounds) {
    const RandomStream random(9, "round trip");
    std::vector<float> x(1 << 14), y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.normal(i));
    std::vector<std::uint8_t> blocks(static_cast<std::size_t>(row_bytes(type, std::ssize(x))));
    quantise_row(type, x.data(), blocks.data(), std::ssize(x));
    dequantise_row(type, blocks.data(), y.data(), std::ssize(y));
    double worst = 0;
    for (std::size_t first = 0; first < x.size(); first += 32) {
      double largest = 0, error = 0;
      for (std::size_t i = first; i < first + 32; ++i) {
        largest = std::max<double>(largest, std::abs(x[i]));
        error = std::max<double>(error, std::abs(x[i] - y[i]));
      }
      worst = std::max(worst, error / largest);
    }
    EXPECT_LT(worst, bound) << name(type);
    EXPECT_GT(worst, bound / 3) << name(type) << ": the bound says nothing";
  }
}

TEST(Quant, ZerosStayZerosAndStrangeValuesGiveBlocks) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (int i = 0; i < kQuantTypes; ++i) {
    const auto type = static_cast<QuantType>(i);
    if (!format(type).writable) continue;
    std::vector<float> x(static_cast<std::size_t>(block_elements(type)), 0.0f);
    std::vector<std::uint8_t> block(static_cast<std::size_t>(block_bytes(type)), 0xFF);
    quantise_row(type, x.data(), block.data(), std::ssize(x));
    for (const float v : values_of(type, block)) EXPECT_EQ(v, 0.0f) << name(type);
    for (const float strange : {std::nanf(""), kInfinity, -kInfinity, 3e38f, 1e-45f, -1e-38f}) {
      x[3] = strange;
      quantise_row(type, x.data(), block.data(), std::ssize(x));  // must not trap
    }
  }
}

TEST(Quant, RowsOnManyThreadsAreTheRows) {
  const QuantType type = QuantType::q4_k;
  const std::int64_t rows = 200, n = 512;
  const RandomStream random(3, "rows");
  std::vector<float> x(static_cast<std::size_t>(rows * n)), a(x.size()), b(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.normal(i));
  const auto bytes = static_cast<std::size_t>(rows * row_bytes(type, n));
  std::vector<std::uint8_t> one(bytes), many(bytes);
  quantise_row(type, x.data(), one.data(), rows * n);
  dequantise_row(type, one.data(), a.data(), rows * n);
  const int threads = thread_count();
  set_thread_count(3);
  quantise_rows(type, x.data(), many.data(), rows, n);
  dequantise_rows(type, many.data(), b.data(), rows, n);
  set_thread_count(threads);
  EXPECT_EQ(one, many);
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace lathe::kernels
