// Kernels that go through arrays element by element or add them up: arithmetic, copies, sums,
// statistics, optimizers (Muon's products are matmul's).
#include <utility>

#include "bench/kernel_bench.h"
#include "lathe/engine/kernels/elementwise.h"
#include "lathe/engine/kernels/movement.h"
#include "lathe/engine/kernels/optimizer.h"
#include "lathe/engine/kernels/reduce.h"
#include "lathe/engine/kernels/statistics.h"

namespace lathe::bench {
namespace {

using namespace kernels;

constexpr std::int64_t kWeights = kHidden * kWidth;

/// Positive, away from zero: the logarithm and the quotient stay ordinary numbers.
View positive(Arrays& a, DType dtype, Dims dims = {kTokens, kWidth}) {
  return a.uniform(dtype, dims, 0.5, 1.5);
}

void add_unary(DType dtype) {
  constexpr std::pair<const char*, Unary> kUnary[] = {
      {"neg", Unary::neg},   {"abs", Unary::abs},         {"square", Unary::square},
      {"sqrt", Unary::sqrt}, {"rsqrt", Unary::rsqrt},     {"reciprocal", Unary::reciprocal},
      {"exp", Unary::exp},   {"log", Unary::log},         {"tanh", Unary::tanh},
      {"erf", Unary::erf},   {"sigmoid", Unary::sigmoid}, {"relu", Unary::relu}};
  for (const auto& [name, op] : kUnary)
    add(with(std::string("unary/") + name, dtype), [=, op = op](Arrays& a) -> Call {
      const View x = positive(a, dtype), y = positive(a, dtype);
      return {.run = [=] { unary({x, y, op}); }, .bytes = bytes_of({x, y})};
    });
  add(with("scale", dtype), [=](Arrays& a) -> Call {
    const View x = positive(a, dtype), y = positive(a, dtype);
    return {.run = [=] { scale({x, y, 0.7}); }, .bytes = bytes_of({x, y})};
  });
}

void add_binary(DType dtype) {
  constexpr std::pair<const char*, Binary> kBinary[] = {{"add", Binary::add}, {"sub", Binary::sub},
                                                        {"mul", Binary::mul}, {"div", Binary::div},
                                                        {"max", Binary::max}, {"min", Binary::min}};
  for (const auto& [name, op] : kBinary)
    add(with(std::string("binary/") + name, dtype), [=, op = op](Arrays& a) -> Call {
      const View x = positive(a, dtype), y = positive(a, dtype), out = positive(a, dtype);
      return {.run = [=] { binary({x, y, out, op}); }, .bytes = bytes_of({x, y, out})};
    });
  add(with("binary/add_bias", dtype), [=](Arrays& a) -> Call {
    const View x = positive(a, dtype), b = positive(a, dtype, {kWidth}), y = positive(a, dtype);
    return {.run = [=] { binary({x, b, y, Binary::add}); }, .bytes = bytes_of({x, b, y})};
  });
  add(with("combine", dtype), [=](Arrays& a) -> Call {
    const View x = positive(a, dtype), y = positive(a, dtype), out = positive(a, dtype);
    return {.run = [=] { combine({x, y, out, 0.1, 0.9}); }, .bytes = bytes_of({x, y, out})};
  });
  add(with("compare/lt", dtype), [=](Arrays& a) -> Call {
    const View x = positive(a, dtype), y = positive(a, dtype);
    const View out = a.zeros(DType::boolean, {kTokens, kWidth});
    return {.run = [=] { compare({x, y, out, Compare::lt}); }, .bytes = bytes_of({x, y, out})};
  });
  add(with("select", dtype), [=](Arrays& a) -> Call {
    const View x = positive(a, dtype), y = positive(a, dtype), out = positive(a, dtype);
    const View condition = a.zeros(DType::boolean, {kTokens, kWidth});
    compare({x, y, condition, Compare::lt});
    return {.run =
                [=] {
                  select({condition, x, y, out});
                },
            .bytes = bytes_of({condition, x, y, out})};
  });
}

void add_movement() {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    add(with("copy/dense", dtype), [=](Arrays& a) -> Call {
      const View x = positive(a, dtype), y = positive(a, dtype);
      return {.run = [=] { copy({x, y}); }, .bytes = bytes_of({x, y})};
    });
    add(with("copy/transposed", dtype), [=](Arrays& a) -> Call {
      const View x = positive(a, dtype), y = a.zeros(dtype, {kWidth, kTokens});
      return {.run = [=] { copy({turned(x), y}); }, .bytes = bytes_of({x, y})};
    });
    add(with("fill", dtype), [=](Arrays& a) -> Call {
      const View y = positive(a, dtype);
      return {.run = [=] { fill({y, 1.0}); }, .bytes = bytes_of({y})};
    });
  }
  constexpr std::pair<DType, DType> kCasts[] = {{DType::f32, DType::bf16},
                                                {DType::bf16, DType::f32},
                                                {DType::f32, DType::f16},
                                                {DType::f32, DType::i32},
                                                {DType::f32, DType::i8}};
  for (const auto& [from, to] : kCasts)
    add(with(with("cast", from), to), [from = from, to = to](Arrays& a) -> Call {
      const View x = positive(a, from), y = a.zeros(to, {kTokens, kWidth});
      return {.run = [=] { cast({x, y}); }, .bytes = bytes_of({x, y})};
    });
}

void add_reduce(DType dtype) {
  constexpr std::pair<const char*, Reduce> kReduce[] = {
      {"sum", Reduce::sum}, {"mean", Reduce::mean}, {"max", Reduce::max}};
  for (const auto& [name, op] : kReduce) {
    add(with(std::string("reduce/columns/") + name, dtype), [=, op = op](Arrays& a) -> Call {
      const View x = positive(a, dtype), out = a.zeros(DType::f32, {kTokens, 1});
      return {.run = [=] { reduce({x, out, op}); }, .bytes = bytes_of({x, out})};
    });
    add(with(std::string("reduce/rows/") + name, dtype), [=, op = op](Arrays& a) -> Call {
      const View x = positive(a, dtype), out = a.zeros(DType::f32, {kWidth});
      return {.run = [=] { reduce({x, out, op}); }, .bytes = bytes_of({x, out})};
    });
  }
}

void add_statistics(DType dtype) {
  add(with("sum_of_squares", dtype), [=](Arrays& a) -> Call {
    const View x = a.normal(dtype, {kWeights}), sum = a.zeros(DType::f64, {1});
    return {.run = [=] { sum_of_squares({x, sum.as<double>()}); }, .bytes = bytes_of({x})};
  });
  add(with("count_nonfinite", dtype), [=](Arrays& a) -> Call {
    const View x = a.normal(dtype, {kWeights}), count = a.zeros(DType::f64, {1});
    return {.run = [=] { count_nonfinite({x, count.as<std::int64_t>()}); }, .bytes = bytes_of({x})};
  });
  add(with("argmax", dtype), [=](Arrays& a) -> Call {
    const View x = a.normal(dtype, {8, kVocabulary}), index = a.zeros(DType::i32, {8});
    return {.run = [=] { argmax({x, index}); }, .bytes = bytes_of({x})};
  });
  add(with("top_k/50", dtype), [=](Arrays& a) -> Call {
    const View x = a.normal(dtype, {8, kVocabulary}), values = a.zeros(DType::f32, {8, 50});
    const View indices = a.zeros(DType::i32, {8, 50});
    return {.run = [=] { top_k({x, values, indices}); }, .bytes = bytes_of({x})};
  });
}

/// The matrix "up". Decay holds the weights where they are, however often the step is repeated.
AdamwArgs adamw_step(Arrays& a, DType moments) {
  return {.gradient = a.normal(DType::f32, {kWeights}, 0.01),
          .m = a.zeros(moments, {kWeights}),
          .v = a.zeros(moments, {kWeights}),
          .lr = 1e-3,
          .weight_decay = 0.1};
}

void add_adamw(DType moments) {
  add(with("adamw/f32_and_bf16/moments", moments), [=](Arrays& a) -> Call {
    AdamwArgs args = adamw_step(a, moments);
    args.theta = a.normal(DType::f32, {kWeights}, 0.05);
    args.shadow = a.zeros(DType::bf16, {kWeights});
    return {.run = [=] { adamw(args); },
            .bytes = bytes_of({args.gradient, args.shadow}) +
                     2 * bytes_of({args.theta, args.m, args.v})};
  });
  add(with("adamw/split_master/moments", moments), [=](Arrays& a) -> Call {
    AdamwArgs args = adamw_step(a, moments);
    args.shadow = a.zeros(DType::bf16, {kWeights});
    args.rest = a.zeros(DType::u8, {2 * kWeights});
    split_master({a.normal(DType::f32, {kWeights}, 0.05), args.shadow, args.rest});
    return {.run = [=] { adamw(args); },
            .bytes =
                bytes_of({args.gradient}) + 2 * bytes_of({args.shadow, args.rest, args.m, args.v})};
  });
}

void add_masters() {
  for (const bool split : {true, false})
    add(split ? "split_master" : "join_master", [=](Arrays& a) -> Call {
      const SplitMasterArgs args{.master = a.normal(DType::f32, {kWeights}),
                                 .value = a.zeros(DType::bf16, {kWeights}),
                                 .rest = a.zeros(DType::u8, {2 * kWeights})};
      split_master(args);
      return {.run = [=] { split ? split_master(args) : join_master(args); },
              .bytes = bytes_of({args.master, args.value, args.rest})};
    });
}

void add_muon(bool nesterov) {
  add(nesterov ? "momentum/nesterov" : "momentum/plain", [=](Arrays& a) -> Call {
    const MomentumArgs args{.gradient = a.normal(DType::f32, {kWeights}),
                            .buffer = a.zeros(DType::f32, {kWeights}),
                            .out = a.zeros(DType::f32, {kWeights}),
                            .nesterov = nesterov};
    return {.run = [=] { momentum(args); },
            .bytes = bytes_of({args.gradient, args.buffer, args.buffer, args.out})};
  });
}

}  // namespace

void add_elements() {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    add_unary(dtype), add_binary(dtype);
    add_reduce(dtype), add_statistics(dtype);
  }
  add_movement();
}

void add_optimizers() {
  for (const DType moments : {DType::f32, DType::bf16}) add_adamw(moments);
  add_masters();
  for (const bool nesterov : {true, false}) add_muon(nesterov);
  add("decayed_step", [](Arrays& a) -> Call {
    const DecayedStepArgs args{.theta = a.normal(DType::f32, {kWeights}),
                               .update = a.normal(DType::f32, {kWeights}),
                               .shadow = a.zeros(DType::bf16, {kWeights}),
                               .step = 1e-3,
                               .decay = 0.999};
    return {.run = [=] { decayed_step(args); },
            .bytes = bytes_of({args.theta, args.theta, args.update, args.shadow})};
  });
}

}  // namespace lathe::bench
