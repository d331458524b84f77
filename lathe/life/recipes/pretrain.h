// Pre-training: packed text x cross entropy. Composition only; the loop is life/train, the formulas
// are in its objectives.
#pragma once

#include <memory>
#include <string>

#include "lathe/data/config.h"
#include "lathe/life/optim/optimizer.h"
#include "lathe/life/optim/schedule.h"
#include "lathe/life/session.h"
#include "lathe/life/train/config.h"
#include "lathe/model/model.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::recipes {

/// The [model] table: a new network, or the weights to start from.
struct ModelSection : model::ModelConfig {
  std::string weights;
  void fields(Fields& f);
};

struct TokenizerSection {
  std::string path;
  void fields(Fields& f);
};

/// What `lathe train FILE.toml` reads.
struct PretrainConfig {
  std::string recipe = "pretrain";
  std::string name;
  std::int64_t seed = 1;
  ModelSection model;
  TokenizerSection tokenizer;
  data::DataConfig data;
  train::TrainConfig train;
  optim::OptimizerConfig optimizer;
  optim::ScheduleConfig schedule;
  train::CheckpointConfig checkpoint;

  void fields(Fields& f);
};

/// The tokenizer that the recipe names, or the one that lies with its weights. Throws NotFound or
/// InvalidArgument that says how to make one.
std::unique_ptr<tokenize::Tokenizer> open_tokenizer(const PretrainConfig& config,
                                                    const FileSystem& files);

/// Fills what follows from other keys: the network of `weights`, vocabulary, context, micro-batch.
/// Throws InvalidArgument naming the key.
void resolve(PretrainConfig& config, std::int64_t vocabulary, const FileSystem& files);

/// Of train.compute: the type of activations, and of products that are not int8. "auto" and "int8"
/// as the type that this processor multiplies best.
DType compute_type(const std::string& compute);
/// Whether the layers of blocks multiply in int8.
bool multiplies_int8(const std::string& compute);
/// What train.compute means here: "f32", "bf16", "int8_f32" or "int8_bf16".
std::string resolved_compute(const std::string& compute);

struct RunSummary {
  bool finished = false;  // else stopped early
  std::int64_t step = 0, tokens = 0, parameters = 0;
  double loss = 0, valid_bpb = 0, best_valid_bpb = 0, seconds = 0;
  std::string run_folder, checkpoint;
  std::string profile;  // table of ops, when asked for
};

/// Trains, or goes on with session.resume. Throws what its parts throw.
RunSummary run_pretrain(PretrainConfig config, const life::Session& session);

/// Writes every batch of the run, its start and its schedule, so that another program can repeat it
/// (format: bench/peers/README.md).
void dump_batches(PretrainConfig config, const std::string& folder, FileSystem& files);

}  // namespace lathe::recipes
