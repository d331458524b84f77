#include "lathe/life/bench/bench.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/life/bench/scratch.h"
#include "lathe/life/bench/training.h"
#include "lathe/life/plan/machine.h"

namespace lathe::bench {
namespace {

std::unique_ptr<model::LanguageModel> tiny(std::int64_t window = 0) {
  model::ModelConfig c;
  c.kind = window > 0 ? "mistral" : "llama";
  c.vocab = 40;
  c.context = 64;
  c.layers = 2;
  c.width = 32;
  c.heads = 4;
  c.kv_heads = 2;
  c.hidden = 64;
  c.window = window;
  c.resolve();
  auto network = model::build(c, DType::f32);
  model::initialise(*network, 3);
  return network;
}

constexpr Peaks kPeaks{.f32 = 1e12, .bf16 = 0, .int8 = 4e12, .bandwidth = 1e11};

TEST(Row, TheMedianIsTheMiddle) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({9, 1, 4}), 4);
  EXPECT_EQ(median({9, 1, 4, 6}), 5);
}

TEST(Row, RatesAndSharesFollowFromTheMedianTime) {
  Row row;
  row.numbers = "int8";
  set_speed(row, {.tokens = 100, .flops = 2e9, .bytes = 1e9}, {0.5, 0.1, 0.2}, kPeaks);
  EXPECT_DOUBLE_EQ(row.value, 500);
  EXPECT_DOUBLE_EQ(row.spread, (1000.0 - 200.0) / 500.0);
  EXPECT_DOUBLE_EQ(*row.gflops, 10);
  EXPECT_DOUBLE_EQ(*row.share_of_compute, 1e10 / 4e12);
  EXPECT_DOUBLE_EQ(*row.gbytes_per_second, 5);
  EXPECT_DOUBLE_EQ(*row.share_of_bandwidth, 0.05);
  EXPECT_EQ(kPeaks.of("bf16"), kPeaks.f32);
}

TEST(Row, JsonHasWhatIsKnown) {
  Row row{.work = "encode", .unit = "MB/s"};
  set_samples(row, {2, 4});
  const Tree tree = parse_json(write_json(row), "row");
  EXPECT_EQ(tree.find("value")->real, 3);
  EXPECT_EQ(tree.find("gflops"), nullptr);
}

/// By hand: a layer is q, o 32x32, k, v 16x32, gate, up, down 64x32; the head 40x32.
TEST(Cost, IsThatOfTheShapes) {
  const auto network = tiny();
  const Cost cost(*network);
  const double layer = 2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32;
  const double norms = (2 * 2 + 1) * 32;
  EXPECT_EQ(cost.head(3).flops, 2.0 * 3 * 40 * 32);
  // Two layers of two heads: keys of 8, values in panels of 16; in q8_0 a scale beside each.
  EXPECT_EQ(cost.kv_bytes(), 2 * 2 * (8 + 16) * 4);
  EXPECT_EQ(cost.cache(), "f32");
  network->set_cache_type(kernels::KvType::q8_0);
  EXPECT_EQ(Cost(*network).kv_bytes(), 2 * 2 * (8 + 16 + 2 * 4));
  EXPECT_EQ(cost.weight_bytes(), 4 * (2 * layer + norms + 40 * 32));
  // Two tokens behind three see 4 and 5 keys.
  const Work w = cost.layers(1, 2, 3);
  EXPECT_EQ(w.flops, 2 * 2 * (2 * layer) + 2 * 4.0 * 32 * (4 + 5));
  EXPECT_EQ(w.bytes, 4 * (2 * layer + norms) + cost.kv_bytes() * (2 + 5));
  EXPECT_EQ(cost.layers(3, 2, 3).flops, 3 * w.flops);
  // The last block: no q, o and MLP of the first token, and none of its four keys.
  const double left_out = 2 * (layer - 2 * 16 * 32) + 4.0 * 32 * 4;
  EXPECT_EQ(cost.layers(1, 2, 3, model::Wanted::last).flops, w.flops - left_out);
  EXPECT_EQ(cost.weights(), "f32");
  EXPECT_EQ(cost.numbers(), "f32");
}

TEST(Cost, AWindowBoundsWhatIsSeen) {
  const auto network = tiny(4);
  const Cost cost(*network);
  EXPECT_EQ(cost.layers(1, 1, 30).flops, cost.layers(1, 1, 3).flops);
  EXPECT_EQ(cost.layers(1, 1, 30).bytes, cost.layers(1, 1, 3).bytes);
  EXPECT_LT(cost.layers(1, 1, 2).flops, cost.layers(1, 1, 3).flops);
}

TEST(Inference, ShapesHaveTheNamesOfLlamaBench) {
  EXPECT_EQ(name({.tokens = 512}), "pp512");
  EXPECT_EQ(name({.decode = true, .tokens = 64, .depth = 4096, .batch = 8}), "tg64 @ d4096 x8");
}

/// A second passes between any two looks at it.
class CountedClock final : public Clock {
 public:
  double seconds() const override { return now += 1; }
  mutable double now = 0;
};

TEST(Inference, EveryShapeIsMeasured) {
  const auto network = tiny();
  for (const bool decode : {false, true})
    for (const std::int64_t depth : {0, 5})
      for (const std::int64_t batch : {1, 3}) {
        if (!decode && batch > 1) continue;
        const Shape shape{decode, 7, depth, batch};
        const CountedClock clock;  // a repetition takes a second
        const Row row =
            measure(*network, shape, {.repetitions = 3, .peaks = &kPeaks, .clock = &clock});
        EXPECT_EQ(row.samples, (std::vector<double>(3, static_cast<double>(7 * batch))))
            << name(shape);
        EXPECT_EQ(row.batch, batch);
        EXPECT_EQ(row.depth, depth);
        EXPECT_GT(*row.share_of_compute, 0);
      }
}

/// As many keys are attended to as the shape says: the cache of the state ends where it should.
TEST(Inference, ReachesToTheLastPositionOfTheModel) {
  model::ModelConfig c = tiny()->config();
  c.kind = "gpt2";  // learned positions: one more would fail
  c.kv_heads = 4;
  const auto network = model::build(c, DType::f32);
  model::initialise(*network, 3);
  for (const bool decode : {false, true})
    EXPECT_NO_THROW(measure(*network, {decode, 24, 40}, {.peaks = &kPeaks}));
  EXPECT_THROW(measure(*network, {true, 25, 40}, {.peaks = &kPeaks}), Error);
}

ErrorCode code_of(const Shape& shape, StopToken stop) {
  const auto network = tiny();
  try {
    measure(*network, shape, {.peaks = &kPeaks, .stop = stop});
  } catch (const Error& e) {
    return e.code();
  }
  return ErrorCode::kInternal;
}

TEST(Inference, StopsOnRequestAndRefusesACacheThatCannotBeHad) {
  StopSource stop;
  EXPECT_EQ(code_of({.decode = true, .tokens = 4, .depth = 1 << 24, .batch = 4096}, stop.token()),
            ErrorCode::kOutOfMemory);
  stop.request();
  for (const bool decode : {false, true})
    EXPECT_EQ(code_of({.decode = decode, .tokens = 4}, stop.token()), ErrorCode::kCancelled);
}

TEST(Scratch, TheTextIsAlwaysTheSameAndTheFolderGoes) {
  const std::string text = generated_text(5000);
  EXPECT_GE(text.size(), 5000u);
  EXPECT_LT(text.size(), 6000u);
  EXPECT_EQ(text, generated_text(5000));
  EXPECT_EQ(text.substr(0, 400), generated_text(400).substr(0, 400));
  std::string path;
  {
    const TemporaryFolder scratch;
    path = scratch / "x";
    std::ofstream(path) << "x";
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(path).parent_path()));
}

TEST(Training, AStepOfASmallRecipe) {
  recipes::PretrainConfig config = default_training();
  config.model.vocab = 300;
  config.model.layers = 1;
  config.model.width = 32;
  config.model.heads = 2;
  config.model.hidden = 64;
  config.train.context = 64;
  config.train.batch_tokens = config.train.micro_tokens = 256;
  const TemporaryFolder scratch;
  const Row row = measure_training(config, scratch, {.repetitions = 2, .peaks = &kPeaks});
  EXPECT_EQ(row.samples.size(), 2u);
  EXPECT_GT(row.value, 0);
  EXPECT_GT(*row.gflops, 0);
}

/// What any supported processor does, and none.
TEST(Peaks, ArePlausible) {
  const Peaks p = measure_peaks();
  EXPECT_GT(p.f32, 1e9);
  EXPECT_LT(p.f32, 1e14);
  EXPECT_GT(p.int8, 1e9);
  EXPECT_LT(p.int8, 1e15);
  EXPECT_EQ(p.bf16 > 0, plan::multiplies_bf16());
  EXPECT_GT(p.bandwidth, 1e8);
  EXPECT_LT(p.bandwidth, 1e13);
}

TEST(Bench, RowsAreThoseAskedFor) {
  std::vector<std::string> works;
  Options options;
  options.only = {"peaks"};
  options.repetitions = 1;
  run_bench(options, {.row = [&](const Row& row) { works.push_back(row.work); }});
  ASSERT_GE(works.size(), 3u);
  EXPECT_EQ(works[0], "peak f32");
  options.model = "no such model";
  options.only = {"load"};
  EXPECT_THROW(run_bench(options, {.row = [](const Row&) {}}), Error);
}

}  // namespace
}  // namespace lathe::bench
