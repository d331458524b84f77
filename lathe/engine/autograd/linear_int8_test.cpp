// The gradient rule of int8 products against what it is defined as: laws over f64 differences say
// nothing about a staircase.
#include <gtest/gtest.h>

#include <cstring>

#include "lathe/base/error.h"
#include "lathe/base/random.h"
#include "lathe/engine/autograd/tape.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::autograd {
namespace {

Tensor normal(const Shape& shape, const char* stream, DType dtype = DType::f32) {
  const RandomStream random(3, stream);
  std::vector<float> values(static_cast<std::size_t>(shape.count()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return ops::cast(Tensor::from(std::span<const float>(values), shape), dtype);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.bytes_begin(), b.bytes_begin(), a.bytes()) == 0;
}

using Layer = Tensor (*)(const Tensor&, const Tensor&, const Tensor&);

struct Gradients {
  Tensor y, x, weight, bias;
};

/// Of a layer for a given dy; weight and bias sums go on from 0.5.
Gradients differentiate(Layer layer, const Tensor& x, const Tensor& w, const Tensor& b,
                        const Tensor& dy) {
  Gradients g{.weight = ops::full(w.shape(), 0.5, DType::f32),
              .bias = ops::full(b.shape(), 0.5, DType::f32)};
  Tape tape;
  tape.watch(x);
  tape.watch(w, g.weight);
  tape.watch(b, g.bias);
  {
    const ops::RecorderScope scope(&tape);
    g.y = layer(x, w, b);
  }
  tape.backward(g.y, dy);
  g.x = tape.gradient(x);
  return g;
}

class LinearInt8 : public ::testing::TestWithParam<DType> {
 protected:
  Tensor x = normal({3, 8, 40}, "x", GetParam()), dy = normal({3, 8, 24}, "dy", GetParam());
  Tensor w = normal({24, 40}, "w", GetParam()), b = normal({24}, "b");
  Tensor turned = ops::contiguous(ops::transpose(w));  // [in,out]
};

TEST_P(LinearInt8, InputGradientIsTheInt8ProductWithOneScaleAnInput) {
  const Gradients g = differentiate(ops::linear_int8, x, w, b, dy);
  EXPECT_TRUE(same_bits(g.x, ops::linear_int8(dy, turned)));  // rows of W^T are the inputs
  EXPECT_FALSE(same_bits(g.x, ops::linear(dy, turned)));      // and it is rounded
}

TEST_P(LinearInt8, WeightAndBiasGradientsAreThoseOfLinear) {
  const Gradients g = differentiate(ops::linear_int8, x, w, b, dy);
  const Gradients plain = differentiate(ops::linear, x, w, b, dy);
  EXPECT_TRUE(same_bits(g.weight, plain.weight));
  EXPECT_TRUE(same_bits(g.bias, plain.bias));
  EXPECT_FALSE(same_bits(g.y, plain.y));
}

TEST_P(LinearInt8, BothLayoutsOfTheWeightAgree) {
  const Gradients one = differentiate(ops::linear_int8, x, w, b, dy);
  const Gradients other = differentiate(ops::linear_int8_in_out, x, turned, b, dy);
  EXPECT_TRUE(same_bits(one.y, other.y));
  EXPECT_TRUE(same_bits(one.x, other.x));
  EXPECT_TRUE(same_bits(one.bias, other.bias));
  EXPECT_EQ(ops::contiguous(ops::transpose(one.weight)).to_doubles(), other.weight.to_doubles());
}

TEST_P(LinearInt8, ASplitOfTheBatchChangesNoBit) {
  const Gradients whole = differentiate(ops::linear_int8, x, w, b, dy);
  const Tensor weight = ops::full(w.shape(), 0.5, DType::f32),
               bias = ops::full({24}, 0.5, DType::f32);
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto row = [i](const Tensor& t) { return ops::contiguous(ops::slice(t, 0, i, i + 1)); };
    const Tensor part = row(x);
    Tape tape;
    tape.watch(part);
    tape.watch(w, weight);
    tape.watch(b, bias);
    Tensor y;
    {
      const ops::RecorderScope scope(&tape);
      y = ops::linear_int8(part, w, b);
    }
    tape.backward(y, row(dy));
    EXPECT_TRUE(same_bits(y, row(whole.y)));
    EXPECT_TRUE(same_bits(tape.gradient(part), row(whole.x)));
  }
  EXPECT_TRUE(same_bits(weight, whole.weight));
  EXPECT_TRUE(same_bits(bias, whole.bias));
}

TEST(LinearInt8Errors, SayWhatDoesNotFit) {
  const Tensor x = normal({3, 40}, "x"), w = normal({24, 40}, "w");
  EXPECT_THROW(ops::linear_int8(x, normal({24, 41}, "w")), Error);
  EXPECT_THROW(ops::linear_int8_in_out(x, w), Error);
  EXPECT_THROW(ops::linear_int8(x, w, normal({23}, "b")), Error);
  EXPECT_THROW(ops::linear_int8(ops::cast(x, DType::f64), ops::cast(w, DType::f64)), Error);
}

INSTANTIATE_TEST_SUITE_P(Types, LinearInt8, ::testing::Values(DType::f32, DType::bf16),
                         [](const ::testing::TestParamInfo<DType>& info) {
                           return std::string(name(info.param));
                         });

}  // namespace
}  // namespace lathe::autograd
