// The laws that hold for every op of op_list.inc (design section 9): fast = reference bit for bit
// on every instruction set and thread count, kernel = composite within tolerance, gradients of
// first and second order against central differences in f64, strided inputs, meta = real shapes.
#include <gtest/gtest.h>

#include <cmath>

#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/engine/autograd/tape.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/ops/ops.h"
#include "tests/laws/draw.h"
#include "tests/laws/tolerances.h"

namespace lathe::ops {
namespace {

using kernels::Isa;

double largest_difference(const Tensor& a, const Tensor& b) {
  const auto x = a.to_doubles(), y = b.to_doubles();
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    worst = std::max(worst, std::abs(x[i] - y[i]) / std::max(1.0, std::abs(y[i])));
  return worst;
}

class OpLaws : public ::testing::TestWithParam<const OpDef*> {
 protected:
  const OpDef& def() const { return *GetParam(); }
  std::vector<Sample> samples() const {
    return def().samples != nullptr ? def().samples() : std::vector<Sample>{};
  }
  void TearDown() override { kernels::set_isa(kernels::best_isa()); }
};

TEST_P(OpLaws, HasSamples) { EXPECT_FALSE(samples().empty()) << def().name; }

TEST_P(OpLaws, FastEqualsReferenceBitForBitOnEveryInstructionSet) {
  const auto all = samples();
  for (std::size_t s = 0; s < all.size(); ++s) {
    for (const DType type : {DType::f32, DType::bf16}) {
      const auto inputs = draw(def(), all[s], s, type);
      if (type == DType::bf16 && !all[s].mixed_types) continue;
      kernels::set_isa(Isa::reference);
      const auto truth = call(def(), inputs, all[s].attrs);
      for (const Isa isa : {Isa::avx2, Isa::avx512, Isa::avx512_bf16}) {
        if (!kernels::set_isa(isa)) continue;  // named in the skipped tests of each kernel
        // bf16 products are the processor's own; everything else is equal to the bit.
        if (isa == Isa::avx512_bf16 && type == DType::bf16) continue;
        const auto fast = call(def(), inputs, all[s].attrs);
        for (std::size_t i = 0; i < truth.size(); ++i)
          EXPECT_TRUE(same_bits(fast[i], truth[i]))
              << def().name << " sample " << s << " result " << i << " on " << kernels::name(isa)
              << " in " << name(type);
      }
    }
  }
}

TEST_P(OpLaws, ThreadCountChangesNothing) {
  const int threads = thread_count();
  const auto all = samples();
  for (std::size_t s = 0; s < all.size(); ++s) {
    const auto inputs = draw(def(), all[s], s, DType::f32);
    set_thread_count(1);
    const auto one = call(def(), inputs, all[s].attrs);
    set_thread_count(3);
    const auto three = call(def(), inputs, all[s].attrs);
    for (std::size_t i = 0; i < one.size(); ++i)
      EXPECT_TRUE(same_bits(one[i], three[i])) << def().name << " sample " << s;
  }
  set_thread_count(threads);
}

TEST_P(OpLaws, KernelAgreesWithComposite) {
  if (def().composite == nullptr) GTEST_SKIP() << def().name << " is a primitive";
  const auto all = samples();
  for (std::size_t s = 0; s < all.size(); ++s) {
    for (const DType type : {DType::f32, DType::f64}) {
      const auto inputs = draw(def(), all[s], s, type);
      const auto fast = call(def(), inputs, all[s].attrs);
      const Outputs meaning = def().composite(inputs, all[s].attrs);
      for (int i = 0; i < meaning.size(); ++i)
        EXPECT_LT(largest_difference(fast[static_cast<std::size_t>(i)], contiguous(meaning[i])),
                  type == DType::f64 ? kF64Composite : kF32Composite)
            << def().name << " sample " << s << " output " << i;
    }
  }
}

TEST_P(OpLaws, StridedInputsGiveTheSame) {
  if (def().is(kInPlace)) GTEST_SKIP() << "in-place ops ask for dense targets";
  const auto all = samples();
  for (std::size_t s = 0; s < all.size(); ++s) {
    auto inputs = draw(def(), all[s], s, DType::f32);
    if (def().is(kView) && std::string(def().name) == "reshape") continue;  // dense by contract
    const auto dense = call(def(), inputs, all[s].attrs);
    for (Tensor& t : inputs)
      if (t.rank() >= 2) t = transpose(contiguous(transpose(t)));
    const auto strided = call(def(), inputs, all[s].attrs);
    for (std::size_t i = 0; i < dense.size(); ++i)
      EXPECT_TRUE(same_bits(dense[i], strided[i])) << def().name << " sample " << s;
  }
}

TEST_P(OpLaws, MetaGivesTheSameShapes) {
  const auto all = samples();
  for (std::size_t s = 0; s < all.size(); ++s) {
    const auto inputs = draw(def(), all[s], s, DType::f32);
    const Outputs real = apply(def(), std::vector<Tensor>(inputs), all[s].attrs);
    std::vector<Tensor> meta;
    for (const Tensor& t : inputs)
      meta.push_back(t.defined() ? Tensor::empty(t.shape(), t.dtype(), Device::meta) : Tensor());
    const Outputs shapes = apply(def(), meta, all[s].attrs);
    ASSERT_EQ(real.size(), shapes.size());
    for (int i = 0; i < real.size(); ++i) {
      EXPECT_EQ(to_string(real[i].shape()), to_string(shapes[i].shape())) << def().name;
      EXPECT_EQ(real[i].dtype(), shapes[i].dtype()) << def().name;
      EXPECT_FALSE(shapes[i].has_data());
    }
  }
}

// --- gradients
// ------------------------------------------------------------------------------------

/// A fixed random direction of a tensor's shape.
Tensor direction(const char* stream, std::size_t i, const Tensor& like) {
  const RandomStream random(23, fmt::format("{}/{}", stream, i));
  std::vector<double> values(static_cast<std::size_t>(like.count()));
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = 2 * random.uniform(k) - 1;
  return Tensor::from(std::span<const double>(values), like.shape());
}

struct Differentiated {
  const OpDef& def;
  const Sample& sample;
  std::vector<Tensor> inputs;  // f64

  bool differentiable(std::size_t i) const {
    return inputs[i].dtype() == DType::f64 && (sample.differentiable >> i & 1) != 0;
  }
  std::vector<Tensor> moved(double h) const {
    std::vector<Tensor> out = inputs;
    for (std::size_t i = 0; i < out.size(); ++i)
      if (differentiable(i)) out[i] = add(out[i], scale(direction("v", i, out[i]), h));
    return out;
  }
  /// sum over float outputs of u . f(x)
  Tensor projected(const std::vector<Tensor>& x) const {
    const Outputs out = apply(def, x, sample.attrs);
    Tensor total = full({}, 0, DType::f64);
    for (int i = 0; i < out.size(); ++i)
      if (out[i].dtype() == DType::f64 && (def.differentiable_outputs >> i & 1) != 0)
        total =
            add(total, sum_all(mul(out[i], direction("u", static_cast<std::size_t>(i), out[i]))));
    return total;
  }
  /// Gradient of projected() along v, as a tensor; recorded by outer tapes when they are there.
  Tensor slope(const std::vector<Tensor>& x, bool create_graph) const {
    autograd::Tape tape(create_graph);
    for (std::size_t i = 0; i < x.size(); ++i)
      if (differentiable(i)) tape.watch(x[i]);
    Tensor loss;
    {
      const RecorderScope scope(&tape);
      loss = projected(x);
      tape.backward(loss, {}, {.create_graph = create_graph});
    }
    Tensor total = full({}, 0, DType::f64);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Tensor g = differentiable(i) ? tape.gradient(x[i]) : Tensor();
      if (g.defined()) total = add(total, sum_all(mul(g, direction("v", i, g))));
    }
    return total;
  }
};

bool has_gradient(const OpDef& def) {
  return (def.vjp != nullptr || def.composite != nullptr) && !def.is(kInPlace);
}

TEST_P(OpLaws, GradientAgreesWithCentralDifferences) {
  if (!has_gradient(def())) GTEST_SKIP() << def().name << " has no gradient";
  const auto all = samples();
  for (std::size_t s = 0; s < all.size(); ++s) {
    if (all[s].differentiable == 0) continue;
    const Differentiated d{def(), all[s], draw(def(), all[s], s, DType::f64)};
    constexpr double kStep = 1e-5;
    const double expected =
        (d.projected(d.moved(kStep)).item() - d.projected(d.moved(-kStep)).item()) / (2 * kStep);
    EXPECT_NEAR(d.slope(d.inputs, false).item(), expected,
                kF64Gradient * std::max(1.0, std::abs(expected)))
        << def().name << " sample " << s;
  }
}

TEST_P(OpLaws, GradientsHaveGradients) {
  if (!has_gradient(def())) GTEST_SKIP() << def().name << " has no gradient";
  const auto all = samples();
  for (std::size_t s = 0; s < all.size(); ++s) {
    if (all[s].differentiable == 0) continue;
    const Differentiated d{def(), all[s], draw(def(), all[s], s, DType::f64)};
    constexpr double kStep = 1e-5;
    const double expected =
        (d.slope(d.moved(kStep), true).item() - d.slope(d.moved(-kStep), true).item()) /
        (2 * kStep);
    autograd::Tape outer;
    for (std::size_t i = 0; i < d.inputs.size(); ++i)
      if (d.differentiable(i)) outer.watch(d.inputs[i]);
    Tensor slope;
    {
      const RecorderScope scope(&outer);
      slope = d.slope(d.inputs, true);
    }
    outer.backward(slope);
    double found = 0;
    for (std::size_t i = 0; i < d.inputs.size(); ++i) {
      const Tensor g = d.differentiable(i) ? outer.gradient(d.inputs[i]) : Tensor();
      if (g.defined()) found += sum_all(mul(g, direction("v", i, g))).item();
    }
    EXPECT_NEAR(found, expected, kF64SecondOrder * std::max(1.0, std::abs(expected)))
        << def().name << " sample " << s;
  }
}

std::string op_name(const ::testing::TestParamInfo<const OpDef*>& info) { return info.param->name; }

INSTANTIATE_TEST_SUITE_P(AllOps, OpLaws, ::testing::ValuesIn(all_ops().begin(), all_ops().end()),
                         op_name);

}  // namespace
}  // namespace lathe::ops
