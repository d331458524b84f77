#include <gtest/gtest.h>

#include <cstring>

#include "lathe/engine/graph/chain.h"
#include "lathe/engine/graph/passes/pass.h"
#include "lathe/engine/graph/replay.h"
#include "lathe/engine/graph/tracer.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::graph {
namespace {

Tensor filled(const Shape& shape, float first) {
  std::vector<float> values(static_cast<std::size_t>(shape.count()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = first + 0.37f * static_cast<float>(i % 11);
  return Tensor::from(std::span<const float>(values), shape);
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.bytes_begin(), b.bytes_begin(), a.bytes()) == 0;
}

struct Outcome {
  std::size_t nodes_before = 0, nodes_after = 0;
  std::int64_t arena_before = 0, arena_after = 0;
  std::int64_t changes = 0;
};

/// Runs the pass; expects the bits of the eager call before and after it.
Outcome expect_same(const std::vector<Tensor>& inputs, const Work& work,
                    std::int64_t (*pass)(Graph&, const PassOptions&),
                    const PassOptions& options = {}) {
  const std::vector<Tensor> eager = work(inputs);
  Graph graph = capture(inputs, work);
  Outcome o{.nodes_before = graph.nodes.size(), .arena_before = plan(graph).arena_bytes};
  o.changes = pass(graph, options);
  o.nodes_after = graph.nodes.size();
  o.arena_after = plan(graph).arena_bytes;
  Replay replay(std::move(graph), std::make_shared<Arena>());
  for (int i = 0; i < 2; ++i) {
    replay.run();
    for (std::size_t k = 0; k < eager.size(); ++k)
      EXPECT_TRUE(same(replay.outputs()[k], eager[k])) << "output " << k;
  }
  return o;
}

TEST(DeadCode, RemovesWhatNobodyReadsAndKeepsWritesThatLast) {
  const Tensor acc = Tensor::zeros({8}, DType::f32);
  const auto work = [&](std::span<const Tensor> in) {
    const Tensor unread = ops::exp(ops::square(in[0]));
    const Tensor local = ops::full({8}, 1, DType::f32, in[0].device());
    ops::add_acc_(local, in[0]);  // into memory that nobody reads
    ops::copy_(acc, ops::neg(in[0]));
    return std::vector{ops::tanh(in[0])};
  };
  const Outcome o = expect_same({filled({8}, 1)}, work, passes::dead_code);
  EXPECT_EQ(o.nodes_before, 7u);
  EXPECT_EQ(o.nodes_after, 3u);
  EXPECT_EQ(acc.to_floats()[0], -1.0f);
}

TEST(CommonSubexpressions, RunOnceWhereTheResultIsAtHand) {
  const auto work = [](std::span<const Tensor> in) {
    const Tensor a = ops::exp(in[0]), b = ops::exp(in[0]), c = ops::exp(in[1]);
    return std::vector{ops::add(ops::mul(a, ops::transpose(b)), c), b};
  };
  const Outcome o = expect_same({filled({64, 64}, -1), filled({64, 64}, -2)}, work,
                                passes::common_subexpressions);
  EXPECT_EQ(o.changes, 1);
  EXPECT_LE(o.arena_after, o.arena_before);
}

TEST(CommonSubexpressions, DoNotMeetAcrossWritesNorKeepMemoryThatTheTapeGaveUp) {
  const Tensor state = filled({64, 64}, 0);
  const auto across = [&](std::span<const Tensor> in) {
    ops::copy_(state, in[0]);
    const Tensor before = ops::exp(state);
    ops::scale_(state, 0.5);
    return std::vector{ops::sub(before, ops::exp(state))};
  };
  EXPECT_EQ(expect_same({filled({64, 64}, 1)}, across, passes::common_subexpressions).changes, 0);
  const auto given_up = [](std::span<const Tensor> in) {
    const Tensor first = ops::sum_all(ops::exp(in[0]));
    const Tensor middle = ops::matmul(in[0], in[0]);
    return std::vector{first, middle, ops::exp(in[0])};
  };
  EXPECT_EQ(expect_same({filled({64, 64}, 1)}, given_up, passes::common_subexpressions).changes, 0);
}

TEST(Chains, RunTileByTile) {
  const Tensor factor = Tensor::from(std::vector<double>{-1.5}, {});
  const Tensor state = Tensor::zeros({100, 130}, DType::f32);
  const auto work = [&](std::span<const Tensor> in) {
    Tensor y = ops::add(ops::scale(in[0], 0.3), in[1]);
    y = ops::scale_by(ops::cast(y, DType::bf16), factor);
    y = ops::gated(ops::cast(y, DType::f32), in[1], ops::Activation::silu);
    ops::copy_(state, y);
    return std::vector{ops::sub(y, in[0]), ops::sum(y, 1)};
  };
  const Outcome o =
      expect_same({filled({100, 130}, -1), filled({100, 130}, 2)}, work, passes::chains);
  EXPECT_EQ(o.changes, 8);
  EXPECT_EQ(o.nodes_after, 2u);
  EXPECT_LT(o.arena_after, o.arena_before + 6 * 4 * kTile * 4);
  EXPECT_NE(state.to_floats()[0], 0.0f);
}

TEST(Chains, LeaveTransposedAndWrittenFactorsAlone) {
  const auto work = [](std::span<const Tensor> in) {
    const Tensor a = ops::exp(in[0]);
    const Tensor b = ops::mul(a, ops::transpose(a));  // other elements of a
    const Tensor one = ops::full({}, 2, DType::f32, in[0].device());
    return std::vector{ops::mul(ops::neg(b), one)};
  };
  const Outcome o = expect_same({filled({90, 90}, -1)}, work, passes::chains);
  EXPECT_GT(o.nodes_after, 2u);
}

TEST(Fuse, TakesResidualsAndGatesIntoProducts) {
  const Tensor w = filled({24, 40}, -2), bias = filled({24}, 3), v = filled({40, 24}, 1);
  for (const DType type : {DType::f32, DType::bf16}) {
    const auto work = [&](std::span<const Tensor> in) {
      const Tensor x = ops::cast(in[1], type), r = ops::cast(in[0], type);
      const Tensor a = ops::add(r, ops::linear(x, ops::cast(w, type), ops::cast(bias, type)));
      const Tensor b = ops::add(ops::linear_in_out(x, ops::cast(v, type), {}),
                                ops::linear(x, ops::cast(w, type)));
      const Tensor gate = ops::linear(x, ops::cast(w, type));
      const Tensor c = ops::gated(gate, ops::linear_int8(x, w), ops::Activation::silu);
      return std::vector{ops::sub(a, ops::linear_int8(x, w)), b, c};
    };
    for (const std::int64_t rows : {1, 3, 90}) {
      const Outcome o =
          expect_same({filled({2, rows, 24}, 5), filled({2, rows, 40}, -1)}, work, passes::fuse);
      EXPECT_EQ(o.changes, 4);
      EXPECT_LE(o.arena_after, o.arena_before);
    }
  }
}

TEST(Fuse, TakesOneOpBehindAProductAndLeavesTheNext) {
  const Tensor w = filled({24, 40}, -2);
  const auto work = [&](std::span<const Tensor> in) {
    const Tensor y = ops::add(in[0], ops::linear(in[1], w));
    return std::vector{ops::add(ops::gated(y, in[0], ops::Activation::silu), in[0])};
  };
  const Outcome o = expect_same({filled({9, 24}, 5), filled({9, 40}, -1)}, work, passes::fuse);
  EXPECT_EQ(o.changes, 1);
  EXPECT_EQ(o.nodes_after, 3u);
}

TEST(Fuse, LeavesProductsAloneThatAreReadTwiceOrWhoseInputsChange) {
  const Tensor w = filled({24, 24}, -2), state = filled({5, 24}, 1);
  const auto twice = [&](std::span<const Tensor> in) {
    const Tensor y = ops::linear(in[0], w);
    return std::vector{ops::add(in[0], y), ops::exp(y)};
  };
  EXPECT_EQ(expect_same({filled({5, 24}, 0)}, twice, passes::fuse).changes, 0);
  const auto changes = [&](std::span<const Tensor> in) {
    ops::copy_(state, in[0]);
    const Tensor y = ops::linear(state, w);
    ops::scale_(state, 0.5);
    return std::vector{ops::add(y, in[0])};
  };
  EXPECT_EQ(expect_same({filled({5, 24}, 0)}, changes, passes::fuse).changes, 0);
  const auto other_shapes = [&](std::span<const Tensor> in) {
    const Tensor y = ops::linear(in[0], w);
    return std::vector{ops::add(y, filled({24}, 1)),
                       ops::add(ops::linear(in[0], w), ops::transpose(y))};
  };
  EXPECT_EQ(expect_same({filled({24, 24}, 0)}, other_shapes, passes::fuse).changes, 0);
  const auto is_an_output = [&](std::span<const Tensor> in) {
    const Tensor y = ops::linear(in[0], w);
    return std::vector{y, ops::add(in[0], y)};
  };
  EXPECT_EQ(expect_same({filled({5, 24}, 0)}, is_an_output, passes::fuse).changes, 0);
}

/// Rows of one byte pattern as blocks of a type, every scale small and finite.
Tensor blocks_of(kernels::QuantType type, std::int64_t rows, std::int64_t k) {
  std::vector<float> values(static_cast<std::size_t>(rows * k));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 0.01f * static_cast<float>(i * 7 % 23) - 0.1f;
  const Tensor blocks = Tensor::empty({rows, kernels::row_bytes(type, k)}, DType::u8);
  kernels::quantise_rows(type, values.data(), blocks.bytes_begin(), rows, k);
  return blocks;
}

/// A layer of a quantised Llama: norm, q and k, a residual; norm, gate and up, gated, down, a
/// residual.
std::vector<Tensor> quantised_layer(std::span<const Tensor> in, kernels::QuantType type,
                                    kernels::QuantType other, bool exact) {
  const Tensor narrow = blocks_of(type, 64, 256), wide = blocks_of(type, 512, 256);
  const Tensor gain = filled({256}, 0.5), up = blocks_of(other, 512, 256);
  const Tensor back = blocks_of(type, 256, 512), bias = filled({256}, 1);
  Tensor x = ops::rms_norm(in[0], gain, 1e-5, DType::f32);
  const ops::Outputs qk = ops::linears_quantised(
      x, std::array<ops::QuantisedWeight, 2>{{{narrow, type, {}}, {narrow, type, {}}}}, exact);
  const Tensor mixed = ops::linear_quantised(ops::layer_norm(in[0], gain, bias, 1e-5, DType::f32),
                                             wide, type, {}, exact);
  const Tensor h = ops::add(in[0], ops::linear_quantised(mixed, back, type, bias, exact));
  x = ops::rms_norm(h, gain, 1e-5, DType::f32);
  const ops::Outputs gates = ops::linears_quantised(
      x, std::array<ops::QuantisedWeight, 2>{{{wide, type, {}}, {up, other, {}}}}, exact);
  const Tensor y = ops::gated(gates[0], gates[1], ops::Activation::gelu_tanh);
  return {qk[0], qk[1], ops::add(ops::linear_quantised(y, back, type, {}, exact), h)};
}

TEST(Fuse, QuantisedLayersNormaliseQuantiseMultiplyAndAddInOneCallEach) {
  using enum kernels::QuantType;
  struct Case {
    kernels::QuantType type, other;
    bool exact;
  };
  for (const Case& c : {Case{q8_0, q8_0, false}, Case{q4_k, q4_k, false}, Case{q4_0, q6_k, false},
                        Case{q4_1, q4_1, false}, Case{q5_1, q8_0, false}, Case{q8_0, q4_k, true}}) {
    for (const std::int64_t rows : {1, 7, 40, 131}) {
      const auto work = [&](std::span<const Tensor> in) {
        return quantised_layer(in, c.type, c.other, c.exact);
      };
      const Outcome o = expect_same({filled({1, rows, 256}, -1)}, work, passes::fuse);
      EXPECT_EQ(o.nodes_before, 11u);
      EXPECT_EQ(o.nodes_after, 5u) << kernels::name(c.type) << " " << rows;
      // The statistics of rows that a norm leaves now live beside the product's workspace.
      const std::int64_t statistics = (rows * 4 + 63) / 64 * 64;
      EXPECT_LE(o.arena_after, o.arena_before + 2 * statistics);
    }
  }
}

/// Layers whose activations wait for a backward pass, as a tape leaves them.
std::vector<Tensor> layers(const std::vector<Tensor>& weights, const Tensor& acc,
                           std::span<const Tensor> in) {
  std::vector<Tensor> inputs, wide;
  Tensor x = in[0];
  for (const Tensor& w : weights) {
    inputs.push_back(x);
    wide.push_back(ops::linear(ops::tanh(x), w));
    x = ops::add(x, ops::slice(ops::gelu(wide.back(), true), 1, 0, x.dim(1)));
  }
  Tensor dx = x;
  for (std::size_t i = weights.size(); i-- > 0;) {
    const Tensor dy = ops::mul(wide[i], ops::gelu(wide[i], true));
    ops::matmul_acc_(acc, ops::transpose(dy), ops::tanh(inputs[i]));
    dx = ops::add(dx, ops::linear_in_out(dy, weights[i], {}));
  }
  return {dx, acc};
}

TEST(FitMemory, TradesTimeForBytesInBothDirections) {
  std::vector<Tensor> weights;
  for (int i = 0; i < 6; ++i)
    weights.push_back(filled({160, 40}, -1 - 0.1f * static_cast<float>(i)));
  const Tensor acc = Tensor::zeros({160, 40}, DType::f32), x = filled({256, 40}, -1);
  const auto work = [&](std::span<const Tensor> in) {
    ops::fill_(acc, 0);
    return layers(weights, acc, in);
  };
  std::vector<Tensor> eager = work(std::vector{x});
  eager[1] = ops::scale(eager[1], 1.0);  // a copy
  const std::int64_t as_it_is = plan(capture(std::vector{x}, work)).arena_bytes;
  std::int64_t nodes_before = 0;
  for (const double share : {0.5, 0.6, 0.8, 1.0, 1.3, 4.0}) {
    Graph graph = capture(std::vector{x}, work);
    const auto budget = static_cast<std::int64_t>(share * static_cast<double>(as_it_is));
    passes::fit_memory(graph, {.memory_budget = budget});
    EXPECT_LE(plan(graph).arena_bytes, budget) << share;
    if (nodes_before > 0) {
      EXPECT_LE(std::ssize(graph.nodes), nodes_before) << share;
    }
    nodes_before = std::ssize(graph.nodes);
    Replay replay(std::move(graph), std::make_shared<Arena>());
    replay.run();
    EXPECT_TRUE(same(replay.outputs()[0], eager[0])) << share;
    EXPECT_TRUE(same(acc, eager[1])) << share;
  }
  EXPECT_LT(nodes_before, std::ssize(capture(std::vector{x}, work).nodes));  // with room: fewer
}

}  // namespace
}  // namespace lathe::graph
