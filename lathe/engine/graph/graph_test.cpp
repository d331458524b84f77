#include "lathe/engine/graph/graph.h"

#include <gtest/gtest.h>

#include "lathe/base/error.h"
#include "lathe/base/parallel.h"
#include "lathe/engine/graph/captured.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::graph {
namespace {

Tensor filled(const Shape& shape, float first) {
  std::vector<float> values(static_cast<std::size_t>(shape.count()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = first + 0.25f * static_cast<float>(i % 7);
  return Tensor::from(std::span<const float>(values), shape);
}

Replay replay_of(const std::vector<Tensor>& inputs, const Work& work) {
  return Replay(capture(inputs, work), std::make_shared<Arena>());
}

TEST(Capture, ComputesNothingAndAReplayDoes) {
  const Tensor x = filled({3, 4}, 1), acc = Tensor::zeros({4}, DType::f32);
  Replay replay = replay_of({x}, [&](std::span<const Tensor> in) {
    const Tensor y = ops::square(in[0]);
    ops::sum_to_acc_(acc, y);
    return std::vector{ops::add(y, in[0])};
  });
  EXPECT_EQ(acc.to_floats(), std::vector<float>(4, 0.0f));
  replay.run();
  const Tensor y = ops::square(x);
  EXPECT_EQ(replay.outputs()[0].to_floats(), ops::add(y, x).to_floats());
  EXPECT_NE(acc.to_floats()[0], 0.0f);

  ops::copy_(x, filled({3, 4}, -2));  // refilled in place
  replay.run();
  EXPECT_EQ(replay.outputs()[0].to_floats(), ops::add(ops::square(x), x).to_floats());
}

TEST(Capture, FollowsViewsAndMakesTheCopiesThatKernelsAskFor) {
  const Tensor x = filled({4, 6}, 1), w = filled({5, 3}, 2);
  const auto work = [&](std::span<const Tensor> in) {
    const Tensor half = ops::slice(in[0], 1, 3, 6);
    return std::vector{ops::softmax(ops::transpose(ops::linear(half, w)))};
  };
  Replay replay = replay_of({x}, work);
  replay.run();
  EXPECT_EQ(replay.outputs()[0].to_floats(), work(std::vector{x})[0].to_floats());
}

TEST(Capture, RefusesValuesThatTheHostFilledMeanwhile) {
  const Tensor x = filled({4}, 1);
  const auto reads_unfilled = [](std::span<const Tensor> in) {
    return std::vector{ops::add(in[0], Tensor::empty({4}, DType::f32, in[0].device()))};
  };
  EXPECT_THROW(capture(std::vector{x}, reads_unfilled), Error);
  const auto reads_values = [](std::span<const Tensor> in) {
    return std::vector{ops::scale(in[0], ops::sum(in[0], 0).item())};
  };
  EXPECT_THROW(capture(std::vector{x}, reads_values), Error);
  const auto fills_by_op = [](std::span<const Tensor> in) {
    return std::vector{ops::add(in[0], ops::full({4}, 2, DType::f32, in[0].device()))};
  };
  Replay replay = replay_of({x}, fills_by_op);
  replay.run();
  EXPECT_EQ(replay.outputs()[0].to_floats()[0], 3.0f);
}

TEST(Replay, ChecksIdsThatCameSince) {
  const Tensor table = filled({5, 3}, 1), ids = Tensor::zeros({2}, DType::i32);
  Replay replay = replay_of({ids}, [&](std::span<const Tensor> in) {
    return std::vector{ops::embedding(table, in[0], DType::f32)};
  });
  replay.run();
  ids.data<std::int32_t>()[1] = 5;
  EXPECT_THROW(replay.run(), Error);
}

TEST(Plan, ReusesMemory) {
  const Tensor x = filled({64, 64}, 1);
  Replay replay = replay_of({x}, [](std::span<const Tensor> in) {
    Tensor y = ops::matmul(in[0], in[0]);
    for (int i = 0; i < 20; ++i) y = ops::transpose(ops::contiguous(ops::transpose(ops::tanh(y))));
    return std::vector{y};
  });
  EXPECT_LE(replay.plan().arena_bytes, 2 * 64 * 64 * 4 + replay.plan().workspaces[0].bytes + 4096);
  EXPECT_EQ(replay.plan().arena_bytes, replay.plan().live_bytes);
}

TEST(Plan, WritesOverAnInputOnlyWhenNobodyReadsItAnyMore) {
  const Tensor x = filled({8, 8}, 1);
  const auto work = [](std::span<const Tensor> in) {
    const Tensor a = ops::square(in[0]);
    const Tensor b = ops::exp(a);                     // a is read later
    const Tensor c = ops::mul(a, ops::transpose(a));  // two views of one memory
    return std::vector{ops::add(ops::add(b, c), in[0])};
  };
  Replay replay = replay_of({x}, work);
  for (int i = 0; i < 2; ++i) {
    replay.run();
    EXPECT_EQ(replay.outputs()[0].to_floats(), work(std::vector{x})[0].to_floats());
  }
}

TEST(Captured, CapturesAgainWhenItMust) {
  const Tensor x = filled({8}, 1), y = filled({8}, 2);
  Captured captured([](std::span<const Tensor> in) { return std::vector{ops::square(in[0])}; },
                    std::make_shared<Arena>());
  const int threads = thread_count();
  captured.run(std::vector{x}, 0);
  captured.run(std::vector{x}, 0);
  EXPECT_EQ(captured.captures(), 1);
  EXPECT_EQ(captured.run(std::vector{y}, 0)[0].to_floats()[0], 4.0f);
  EXPECT_EQ(captured.captures(), 2);
  captured.run(std::vector{y}, 1);
  EXPECT_EQ(captured.captures(), 3);
  set_thread_count(threads + 1);
  captured.run(std::vector{y}, 1);
  EXPECT_EQ(captured.captures(), 4);
  set_thread_count(threads);
}

TEST(Captured, ReplaysOfOneArenaDoNotDisturbOneAnother) {
  const auto arena = std::make_shared<Arena>();
  const Tensor small = filled({8}, 1), large = filled({4096}, 2);
  const auto work = [](std::span<const Tensor> in) {
    return std::vector{ops::add(ops::square(in[0]), in[0])};
  };
  Captured a(work, arena), b(work, arena);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(a.run(std::vector{small}, 0)[0].to_floats()[0], 2.0f);
    EXPECT_EQ(b.run(std::vector{large}, 0)[0].to_floats()[0], 6.0f);
  }
}

TEST(Graph, PrintsItsCalls) {
  const Tensor x = filled({2, 3}, 1), w = filled({4, 3}, 2);
  const Graph graph = capture(std::vector{x}, [&](std::span<const Tensor> in) {
    return std::vector{ops::scale(ops::linear(in[0], w), 2.0)};
  });
  EXPECT_EQ(to_string(graph),
            "%2 f32 [2,4] = linear(in0 f32 [2,3], @1 f32 [4,3], -) {\"in_out\":false}\n"
            "%3 f32 [2,4] = scale(%2 f32 [2,4]) {\"factor\":2.0}\n"
            "-> %3 f32 [2,4]\n");
}

}  // namespace
}  // namespace lathe::graph
