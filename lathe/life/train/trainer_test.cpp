#include "lathe/life/train/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "lathe/base/parallel.h"
#include "lathe/base/temporary_folder.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/engine/ops/recorders.h"
#include "lathe/life/train/objectives/cross_entropy.h"

namespace lathe::train {
namespace {

/// Bytes as ids: a tokenizer that needs no file.
data::Encoding bytes_as_ids() {
  data::Encoding e;
  e.encode = [](std::string_view text, std::vector<std::int32_t>& ids) {
    for (const unsigned char c : text) ids.push_back(c);
  };
  e.vocab_size = 256;
  e.key = "bytes";
  e.bytes_of_id.assign(256, 1);
  return e;
}

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() {
    std::ofstream text(folder_ / "text.txt");
    for (int i = 0; i < 400; ++i) text << "line " << i * i << " of a text\n";
  }

  struct Run {
    std::unique_ptr<model::LanguageModel> model;
    std::unique_ptr<optim::Optimizer> optimizer;
    std::unique_ptr<data::BatchSource> source;
    CrossEntropy objective{0};
    std::unique_ptr<Trainer> trainer;
  };

  std::unique_ptr<Run> make(std::int64_t micro_tokens, std::int64_t groups, bool int8 = false,
                            bool capture = true) const {
    auto run = std::make_unique<Run>();
    run->objective = CrossEntropy(0, int8);
    model::ModelConfig c;
    c.vocab = 256;
    c.context = 16;
    c.layers = 1;
    c.width = 16;
    c.heads = 2;
    c.resolve();
    run->model = model::build(c, DType::f32);
    model::initialise(*run->model, 3);
    run->optimizer = optim::make_optimizer({}, run->model->parameters());
    data::SourceConfig source;
    source.path = folder_ / "text.txt";
    source.split = "line";
    data::DataConfig config;
    config.token_cache = false;
    run->source = data::open_batches({source}, config, bytes_as_ids(),
                                     {.width = 16, .seed = 1, .cache_folder = folder_ / "cache"});
    TrainConfig train;
    train.context = 16;
    train.batch_tokens = 128;
    train.micro_tokens = micro_tokens;
    train.reduce_groups = groups;
    train.tokens = 128 * 4;
    train.capture = capture;
    train.resolve();
    run->trainer = std::make_unique<Trainer>(TrainerParts{.model = run->model.get(),
                                                          .objective = &run->objective,
                                                          .optimizer = run->optimizer.get(),
                                                          .source = run->source.get(),
                                                          .train = train,
                                                          .lr = 1e-3,
                                                          .clip = 1.0});
    return run;
  }

  static bool same_weights(const Run& a, const Run& b) {
    for (std::size_t i = 0; i < a.model->parameters().size(); ++i) {
      const Tensor &x = a.model->parameters()[i]->master(), &y = b.model->parameters()[i]->master();
      if (std::memcmp(x.bytes_begin(), y.bytes_begin(), x.bytes()) != 0) return false;
    }
    return true;
  }

  const TemporaryFolder folder_;
};

TEST_F(TrainerTest, TrainsToTheEnd) {
  const auto run = make(128, 1);
  EXPECT_TRUE(run->trainer->run());
  EXPECT_EQ(run->trainer->loop_state().step, 4);
  EXPECT_EQ(run->trainer->loop_state().updates, 4);
  EXPECT_EQ(run->trainer->loop_state().tokens, 512);
}

TEST_F(TrainerTest, MicroBatchesChangeNoBitAndGroupsStayFixed) {
  for (const std::int64_t groups : {1, 2, 4}) {
    const auto whole = make(128 / groups, groups), split = make(16, groups);
    whole->trainer->run();
    split->trainer->run();
    EXPECT_TRUE(same_weights(*whole, *split)) << groups << " groups";
  }
}

TEST_F(TrainerTest, InInt8TooNeitherMicroBatchesNorThreadsNorRecomputeChangeABit) {
  const int threads = thread_count();
  const auto plain = make(128, 1), whole = make(128, 1, true), split = make(16, 1, true);
  plain->trainer->run();
  whole->trainer->run();
  split->model->set_recompute(true);
  set_thread_count(threads == 1 ? 3 : 1);
  split->trainer->run();
  set_thread_count(threads);
  EXPECT_TRUE(same_weights(*whole, *split));
  EXPECT_FALSE(same_weights(*whole, *plain));
}

TEST_F(TrainerTest, Int8TrainsButDoesNotJudge) {
  const auto plain = make(128, 1), int8 = make(128, 1, true);
  const data::Batch batch = plain->source->next(4);
  LossSums judged, expected, trained;
  int8->objective.train(*int8->model, batch, trained);
  int8->objective.evaluate(*int8->model, batch, judged);
  plain->objective.evaluate(*plain->model, batch, expected);
  EXPECT_EQ(judged.nll, expected.nll);
  EXPECT_NE(trained.nll, expected.nll);
  EXPECT_NEAR(trained.nll, expected.nll, 0.01 * expected.nll);
}

TEST_F(TrainerTest, CapturedStepsAreTheEagerOnes) {
  for (const std::int64_t groups : {1, 4}) {
    const bool int8 = groups == 4;
    const auto eager = make(32, groups, int8, false), captured = make(32, groups, int8);
    while (!eager->trainer->finished()) {
      const runs::StepMetrics a = eager->trainer->step(), b = captured->trainer->step();
      EXPECT_EQ(a.loss, b.loss);
      EXPECT_EQ(a.grad_norm, b.grad_norm);
    }
    EXPECT_TRUE(same_weights(*eager, *captured)) << groups << " groups";
    EXPECT_EQ(eager->trainer->captured().micro_replay(), nullptr);
    ASSERT_NE(captured->trainer->captured().micro_replay(), nullptr);
  }
}

TEST_F(TrainerTest, AnotherThreadCountCapturesAgainAndChangesNothing) {
  const auto run = make(128, 1), twin = make(128, 1);
  const int threads = thread_count();
  while (!run->trainer->finished()) {
    run->trainer->step();
    set_thread_count(1 + static_cast<int>(twin->trainer->loop_state().step % 3));
    twin->trainer->step();
    set_thread_count(threads);
  }
  EXPECT_TRUE(same_weights(*run, *twin));
}

TEST_F(TrainerTest, RecordersSeeTheStepsThatTheyWatch) {
  const auto run = make(128, 1), twin = make(128, 1);
  run->trainer->step();
  {
    ops::Profiler profiler;
    const ops::RecorderScope scope(&profiler);
    run->trainer->step();
    EXPECT_GT(profiler.rows().at("matmul_acc_").calls, 0);
  }
  run->trainer->run();
  twin->trainer->run();
  EXPECT_TRUE(same_weights(*run, *twin));
}

TEST_F(TrainerTest, AStepThatIsNotFiniteChangesNothingButThePosition) {
  const auto run = make(128, 1), twin = make(128, 1);
  run->trainer->step();
  twin->trainer->step();
  // An infinite embedding row makes the loss NaN.
  autograd::Parameter* p = run->model->find("model.embed_tokens.weight");
  const float kept = p->master().data<float>()['l' * 16];
  p->master().data<float>()['l' * 16] = std::numeric_limits<float>::infinity();
  const runs::StepMetrics metrics = run->trainer->step();
  EXPECT_NE(metrics.skipped, "");
  EXPECT_FALSE(std::isfinite(metrics.loss));
  EXPECT_EQ(run->trainer->loop_state().updates, 1);
  EXPECT_EQ(run->trainer->loop_state().step, 2);
  p->master().data<float>()['l' * 16] = kept;
  EXPECT_TRUE(same_weights(*run, *twin));
}

TEST_F(TrainerTest, GoesOnFromAState) {
  const auto whole = make(128, 1), first = make(128, 1), second = make(64, 1);
  whole->trainer->run();
  first->trainer->step();
  first->trainer->step();
  second->trainer->restore(first->trainer->state());
  // Weights and moments as a checkpoint would bring them.
  for (std::size_t i = 0; i < first->model->parameters().size(); ++i)
    second->model->parameters()[i]->load(first->model->parameters()[i]->master());
  std::vector<Tensor> moments;
  first->optimizer->state([&](const std::string&, const Tensor& t) { moments.push_back(t); });
  std::size_t next = 0;
  second->optimizer->state(
      [&](const std::string&, const Tensor& t) { ops::copy_(t, moments[next++]); });
  second->trainer->run();
  EXPECT_TRUE(same_weights(*whole, *second));
}

TEST_F(TrainerTest, StopsOnRequest) {
  StopSource stop;
  stop.request();
  const auto run = make(128, 1);
  TrainerParts parts = run->trainer->parts();
  parts.stop = stop.token();
  Trainer trainer(parts);
  EXPECT_FALSE(trainer.run());
  EXPECT_EQ(trainer.loop_state().step, 0);
}

}  // namespace
}  // namespace lathe::train
