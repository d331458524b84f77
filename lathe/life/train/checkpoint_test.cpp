#include "lathe/life/train/checkpoint.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "lathe/base/memory_files.h"

namespace lathe::train {
namespace {

struct Fixture {
  Fixture() {
    model::ModelConfig c;
    c.vocab = 11;
    c.context = 8;
    c.layers = 1;
    c.width = 8;
    c.heads = 2;
    c.resolve();
    model = model::build(c, DType::f32);
    optimizer = optim::make_optimizer({}, model->parameters());
  }
  CheckpointParts parts(std::int64_t step) {
    model::initialise(*model, static_cast<std::uint64_t>(step));
    CheckpointParts p{.model = model.get(), .optimizer = optimizer.get()};
    p.state.step = step;
    p.state.compute = "f32";
    p.config_toml = "seed = 1\n";
    p.tokenizer_json = "{}";
    return p;
  }
  std::unique_ptr<model::LanguageModel> model;
  std::unique_ptr<optim::Optimizer> optimizer;
};

TEST(Checkpoint, ComesBackBitForBit) {
  Fixture a, b;
  MemoryFiles files;
  write_checkpoint(files, "/run", "step-00000007", a.parts(7));
  const std::string path = newest_checkpoint(files, "/run");
  EXPECT_EQ(path, "/run/checkpoints/step-00000007");
  EXPECT_EQ(read_state(files, path).step, 7);
  load_weights(files, path, *b.model);
  load_optimizer(files, path, *b.optimizer);
  for (std::size_t i = 0; i < a.model->parameters().size(); ++i) {
    const Tensor &x = a.model->parameters()[i]->master(), &y = b.model->parameters()[i]->master();
    EXPECT_EQ(std::memcmp(x.bytes_begin(), y.bytes_begin(), x.bytes()), 0);
  }
}

TEST(Checkpoint, NewestValidOneIsFoundAndOthersArePruned) {
  Fixture f;
  MemoryFiles files;
  for (const std::int64_t step : {1, 2, 3})
    write_checkpoint(files, "/run", checkpoint_name("step-", step), f.parts(step));
  prune_checkpoints(files, "/run", 2);
  EXPECT_EQ(list_checkpoints(files, "/run").size(), 2u);
  // One flipped byte in the newest.
  const std::string weights = "/run/checkpoints/step-00000003/weights.safetensors";
  std::string bytes = files.read_all(weights);
  bytes[bytes.size() - 1] ^= 1;
  files.open_for_write(weights, WriteMode::truncate)->write(bytes);
  EXPECT_NE(check_checkpoint(files, "/run/checkpoints/step-00000003"), std::nullopt);
  EXPECT_EQ(newest_checkpoint(files, "/run"), "/run/checkpoints/step-00000002");
  EXPECT_THROW(resolve_checkpoint(files, "/run/checkpoints/step-00000003"), Error);
}

int operations_of_a_save() {
  Fixture f;
  MemoryFiles files;
  FaultyFiles counting(files, {});
  write_checkpoint(counting, "/run", "step-00000001", f.parts(1));
  return counting.operations();
}

TEST(Checkpoint, AnErrorAtAnyOperationLeavesTheOlderOneAndSaysWhy) {
  const int operations = operations_of_a_save();
  ASSERT_GT(operations, 15);
  using Fault = FaultyFiles::Fault;
  for (const Fault fault : {Fault::error_stays, Fault::short_write}) {
    for (const int error : {ENOSPC, EROFS, EIO}) {
      for (int at = 0; at < operations; ++at) {
        Fixture f;
        MemoryFiles files;
        write_checkpoint(files, "/run", "step-00000001", f.parts(1));
        FaultyFiles faulty(files, {fault, at, error});
        try {
          write_checkpoint(faulty, "/run", "step-00000002", f.parts(2));
          EXPECT_EQ(fault, Fault::short_write) << "operation " << at << " cannot fail unnoticed";
        } catch (const Error& e) {
          EXPECT_EQ(e.code(), ErrorCode::kIo);
          EXPECT_NE(e.message().find(std::strerror(error)), std::string::npos) << e.message();
        }
        EXPECT_EQ(check_checkpoint(files, "/run/checkpoints/step-00000001"), std::nullopt)
            << "operation " << at;
      }
    }
  }
}

TEST(Checkpoint, PowerLossAtAnyOperationLeavesAValidOne) {
  const int operations = operations_of_a_save();
  for (const AfterCrash what : {AfterCrash::only_synced, AfterCrash::names_first}) {
    for (int at = 0; at <= operations; ++at) {
      Fixture f;
      MemoryFiles files;
      files.make_directories("/run");
      files.sync_directory("/");
      files.sync_directory("/run");
      write_checkpoint(files, "/run", "step-00000001", f.parts(1));
      files.sync_directory("/run");
      FaultyFiles faulty(files, {FaultyFiles::Fault::crash, at, 0});
      bool done = true;
      try {
        write_checkpoint(faulty, "/run", "step-00000002", f.parts(2));
      } catch (const Error&) {
        done = false;
      }
      files.crash(what);
      const std::string newest = newest_checkpoint(files, "/run");
      ASSERT_FALSE(newest.empty()) << "operation " << at;
      const std::int64_t step = read_state(files, newest).step;
      EXPECT_EQ(step, done ? 2 : step) << "a save that returned must survive";
      EXPECT_GE(step, 1);
    }
  }
}

}  // namespace
}  // namespace lathe::train
