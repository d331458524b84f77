// Replay = eager, bit for bit: for every op of op_list.inc, and for the micro-step of every kind of
// network.
#include <gtest/gtest.h>

#include "lathe/engine/graph/replay.h"
#include "lathe/engine/graph/tracer.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/life/train/captured_step.h"
#include "lathe/life/train/gradients.h"
#include "lathe/life/train/objectives/cross_entropy.h"
#include "tests/laws/draw.h"

namespace lathe::ops {
namespace {

using kernels::Isa;

std::vector<Tensor> copies(const std::vector<Tensor>& from) {
  std::vector<Tensor> to;
  for (const Tensor& t : from) {
    to.push_back(t.defined() ? Tensor::empty(t.shape(), t.dtype()) : Tensor());
    if (t.defined() && t.bytes() > 0)
      std::memcpy(to.back().bytes_begin(), contiguous(t).bytes_begin(), t.bytes());
  }
  return to;
}

/// Outputs and written inputs of a captured call. With `temporary`, the op reads tensors that
/// nobody reads after it, so that the plan may let it write over them.
std::vector<Tensor> replayed(const OpDef& def, const std::vector<Tensor>& drawn, const Attrs& attrs,
                             bool temporary) {
  const std::vector<Tensor> own = copies(drawn);
  std::vector<Tensor> inputs;
  for (const Tensor& t : own)
    if (t.defined()) inputs.push_back(t);
  graph::Replay replay(graph::capture(inputs,
                                      [&](std::span<const Tensor> stand_ins) {
                                        std::vector<Tensor> in;
                                        std::size_t next = 0;
                                        for (const Tensor& t : own) {
                                          in.push_back(t.defined() ? stand_ins[next++] : Tensor());
                                          if (temporary && t.defined() && is_float(t.dtype()) &&
                                              static_cast<int>(in.size()) > def.writes)
                                            in.back() = scale(in.back(), 1.0);
                                        }
                                        const Outputs out = apply(def, in, attrs);
                                        const Inputs all = out;
                                        return std::vector<Tensor>(all.begin(), all.end());
                                      }),
                       std::make_shared<graph::Arena>());
  replay.run();
  std::vector<Tensor> all;
  for (const Tensor& t : replay.outputs()) all.push_back(contiguous(t));
  for (int i = 0; i < def.writes; ++i)
    if (own[static_cast<std::size_t>(i)].defined()) all.push_back(own[static_cast<std::size_t>(i)]);
  return all;
}

class GraphLaws : public ::testing::TestWithParam<const OpDef*> {
 protected:
  void TearDown() override { kernels::set_isa(kernels::best_isa()); }
};

TEST_P(GraphLaws, ReplayEqualsEager) {
  const OpDef& def = *GetParam();
  const auto samples = def.samples();
  for (const Isa isa : {Isa::reference, kernels::best_isa()}) {
    kernels::set_isa(isa);
    for (std::size_t s = 0; s < samples.size(); ++s) {
      for (const DType type : {DType::f32, DType::bf16, DType::f64}) {
        if (type != DType::f32 && (!samples[s].mixed_types || def.is(kInPlace))) continue;
        // f64 serves gradients; ops without one may refuse it.
        const bool has_gradient = def.vjp != nullptr || def.composite != nullptr;
        if (type == DType::f64 && (!has_gradient || samples[s].differentiable == 0)) continue;
        const auto inputs = draw(def, samples[s], s, type);
        const auto expected = call(def, inputs, samples[s].attrs);
        for (const bool temporary : {false, true}) {
          const auto got = replayed(def, inputs, samples[s].attrs, temporary);
          ASSERT_EQ(got.size(), expected.size());
          for (std::size_t i = 0; i < got.size(); ++i)
            EXPECT_TRUE(same_bits(got[i], expected[i]))
                << def.name << " sample " << s << " result " << i << " in " << name(type)
                << (temporary ? " from temporaries" : "") << " on " << kernels::name(isa);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllOps, GraphLaws, ::testing::ValuesIn(all_ops().begin(), all_ops().end()),
                         [](const auto& test) { return std::string(test.param->name); });

}  // namespace
}  // namespace lathe::ops

namespace lathe::train {
namespace {

model::ModelConfig small(const std::string& kind) {
  model::ModelConfig c;
  c.kind = kind;
  c.vocab = 50;
  c.context = 24;
  c.layers = 2;
  c.width = 32;
  c.heads = 4;
  c.kv_heads = kind == "gpt2" || kind == "gpt_neox" ? 4 : 2;
  c.hidden = 48;
  c.resolve();
  return c;
}

data::Batch batch_of(std::int64_t rows, std::int64_t width, std::uint64_t seed) {
  data::Batch b{.rows = rows, .width = width};
  const RandomStream random(seed, "batch");
  for (std::int64_t i = 0; i < rows * width; ++i) {
    const auto k = static_cast<std::uint64_t>(i);
    const std::int64_t t = i % width, start = t < width / 3 ? 0 : width / 3;
    b.tokens.push_back(static_cast<std::int32_t>(random.below(50, 3 * k)));
    b.targets.push_back(i % 5 == 4 ? -1 : static_cast<std::int32_t>(random.below(50, 3 * k + 1)));
    b.positions.push_back(static_cast<std::int32_t>(t - start));
    b.document_starts.push_back(static_cast<std::int32_t>(start));
    b.weights.push_back(i % 5 == 4 ? 0.0f : 1.0f);
  }
  return b;
}

struct Twin {
  std::unique_ptr<model::LanguageModel> model;
  CrossEntropy objective{1e-4};
  std::unique_ptr<optim::Optimizer> optimizer;
  std::unique_ptr<Gradients> gradients;
  std::unique_ptr<CapturedStep> step;

  Twin(const model::ModelConfig& config, DType type, bool recompute, const char* kind,
       CapturedStep::Options options) {
    model = model::build(config, type);
    model->set_recompute(recompute);
    model::initialise(*model, 5);
    optimizer = optim::make_optimizer({.kind = kind}, model->parameters());
    gradients = std::make_unique<Gradients>(model->parameters(), 64);
    step = std::make_unique<CapturedStep>(*model, objective, *optimizer, options);
  }

  double run(std::uint64_t seed) {
    LossSums sums;
    gradients->begin_step();
    for (std::uint64_t m = 0; m < 2; ++m) step->micro_step(batch_of(2, 15, 2 * seed + m), sums);
    gradients->end_step();
    const double norm = step->gradient_norm();
    step->evaluate(batch_of(2, 15, 9), sums);
    step->evaluate(batch_of(1, 15, 9), sums);
    step->update({.schedule = 1.0 / static_cast<double>(seed + 1),
                  .gradient_scale = std::min(1.0, 1.0 / norm) / sums.weight,
                  .count = static_cast<std::int64_t>(seed) + 1});
    return sums.nll + norm;
  }
};

void expect_twins(const model::ModelConfig& config, DType type, bool recompute, const char* kind,
                  std::int64_t budget = 0) {
  Twin eager(config, type, recompute, kind, {.capture = false}),
      captured(config, type, recompute, kind, {.memory_budget = budget});
  for (std::uint64_t step = 0; step < 3; ++step) {
    EXPECT_EQ(eager.run(step), captured.run(step)) << config.kind << " step " << step;
    for (std::size_t i = 0; i < eager.model->parameters().size(); ++i) {
      const autograd::Parameter &a = *eager.model->parameters()[i],
                                &b = *captured.model->parameters()[i];
      EXPECT_TRUE(ops::same_bits(a.gradient(), b.gradient())) << a.name() << " gradient";
      EXPECT_TRUE(ops::same_bits(a.master(), b.master())) << a.name();
      EXPECT_TRUE(ops::same_bits(a.value(), b.value())) << a.name() << " value";
    }
  }
  ASSERT_NE(captured.step->micro_replay(), nullptr);
}

class GraphModels : public ::testing::TestWithParam<std::string> {};

TEST_P(GraphModels, ACapturedStepEqualsAnEagerOne) {
  for (const DType type : {DType::f32, DType::bf16})
    for (const bool recompute : {false, true})
      expect_twins(small(GetParam()), type, recompute, recompute ? "muon" : "adamw");
}

TEST_P(GraphModels, WhateverTheMemoryBudget) {
  for (const std::int64_t budget : {1, 1 << 30})
    expect_twins(small(GetParam()), DType::f32, false, "adamw", budget);
}

TEST_P(GraphModels, UntiedHeadsToo) {
  model::ModelConfig c = small(GetParam());
  c.tied = false;
  expect_twins(c, DType::f32, false, "adamw");
}

INSTANTIATE_TEST_SUITE_P(Zoo, GraphModels, ::testing::ValuesIn(model::kinds()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace lathe::train
