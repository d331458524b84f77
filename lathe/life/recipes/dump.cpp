// The batch dump of bench/peers/README.md: a run's batches, start and schedule for another program.
#include <nlohmann/json.hpp>

#include "lathe/base/error.h"
#include "lathe/base/progress.h"
#include "lathe/data/batch_source.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/life/recipes/pretrain.h"
#include "lathe/model/load.h"
#include "lathe/model/weights/safetensors.h"

namespace lathe::recipes {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
void append(FileWriter& writer, const std::vector<T>& values) {
  writer.write({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

/// The four arrays of a split, written as batches come.
class ArrayWriter {
 public:
  ArrayWriter(FileSystem& files, const std::string& folder, const std::string& split) {
    const auto open = [&](const char* name) {
      return files.open_for_write(join_path(folder, split + "_" + name));
    };
    tokens_ = open("tokens.i32");
    targets_ = open("targets.i32");
    positions_ = open("positions.i32");
    starts_ = open("document_starts.i32");
  }
  void write(const data::Batch& b) {
    append(*tokens_, b.tokens);
    append(*targets_, b.targets);
    append(*positions_, b.positions);
    append(*starts_, b.document_starts);
  }
  void close() {
    for (auto* writer : {&tokens_, &targets_, &positions_, &starts_}) (*writer)->close();
  }

 private:
  std::unique_ptr<FileWriter> tokens_, targets_, positions_, starts_;
};

Json describe_config(const model::ModelConfig& m) {
  return {{"kind", m.kind},         {"layers", m.layers},      {"width", m.width},
          {"heads", m.heads},       {"kv_heads", m.kv_heads},  {"hidden", m.hidden},
          {"vocab", m.vocab},       {"tied", m.tied},          {"rope_theta", m.rope_theta},
          {"norm_eps", m.norm_eps}, {"head_size", m.head_size}};
}

Json describe_optimizer(const optim::OptimizerConfig& o, const model::LanguageModel& model) {
  Json decay = Json::array(), no_decay = Json::array();
  for (const autograd::Parameter* p : model.parameters())
    (optim::decays(*p) ? decay : no_decay).push_back(p->name());
  return {{"kind", o.kind},      {"betas", {o.beta1, o.beta2}},
          {"eps", o.eps},        {"weight_decay", o.weight_decay},
          {"clip", o.clip},      {"decay", decay},
          {"no_decay", no_decay}};
}

/// Pads a short last batch to full rows of nothing: the arrays are rectangular.
void pad_rows(data::Batch& b, std::int64_t rows) {
  const auto n = static_cast<std::size_t>(rows * b.width);
  for (std::size_t t = b.tokens.size(); t < n; ++t) {
    b.tokens.push_back(0);
    b.targets.push_back(-1);
    b.positions.push_back(0);
    b.document_starts.push_back(static_cast<std::int32_t>(t % static_cast<std::size_t>(b.width)));
  }
}

Json dump_validation(const PretrainConfig& config, const data::Encoding& encoding,
                     const std::string& folder, FileSystem& files, std::int64_t steps) {
  if (config.data.valid.empty()) return nullptr;
  const std::int64_t rows = config.train.rows_per_step();
  const auto source = data::open_batches(config.data.valid, config.data, encoding,
                                         {.width = config.train.context,
                                          .seed = config.seed,
                                          .sequential = true,
                                          .max_tokens = config.train.evaluate_tokens,
                                          .cache_folder = join_path(folder, "cache")});
  ArrayWriter writer(files, folder, "valid");
  std::int64_t batches = 0, bytes = 0;
  while (true) {
    data::Batch b = source->next(rows);
    if (b.empty()) break;
    bytes += b.bytes;
    pad_rows(b, rows);
    writer.write(b);
    ++batches;
  }
  writer.close();
  Json at = Json::array();
  if (config.train.evaluate_every > 0)
    for (std::int64_t s = config.train.evaluate_every; s < steps; s += config.train.evaluate_every)
      at.push_back(s);
  at.push_back(steps);
  return {{"rows", rows}, {"batches", batches}, {"bytes", bytes}, {"at_steps", at}};
}

}  // namespace

void dump_batches(PretrainConfig config, const std::string& folder, FileSystem& files) {
  const auto tokenizer = open_tokenizer(config, files);
  resolve(config, tokenizer->vocab_size(), files);
  files.make_directories(folder);
  const data::Encoding encoding = data::encoding_of(*tokenizer, config.data.eos, config.data.bos);
  const auto model = model::build(config.model, DType::f32);
  if (config.model.weights.empty()) {
    model::initialise(*model, static_cast<std::uint64_t>(config.seed));
  } else {
    model::copy_weights(*model, *open_model_files(config.model.weights, files).weights);
  }
  weights::NamedTensors tensors;
  for (const autograd::Parameter* p : model->parameters())
    tensors.emplace_back(p->name(), p->master());
  weights::write_safetensors(files, join_path(folder, "init.safetensors"), tensors);

  const std::int64_t rows = config.train.rows_per_step();
  const std::int64_t steps =
      (config.train.tokens + config.train.batch_tokens - 1) / config.train.batch_tokens;
  const auto source = data::open_batches(config.data.train, config.data, encoding,
                                         {.width = config.train.context,
                                          .seed = config.seed,
                                          .cache_folder = join_path(folder, "cache")});
  ArrayWriter writer(files, folder, "train");
  Json lrs = Json::array();
  Progress progress({.what = "writing batches", .total = steps});
  for (std::int64_t step = 0; step < steps; ++step) {
    writer.write(source->next(rows));
    lrs.push_back(config.optimizer.lr *
                  optim::schedule_factor(config.schedule, step * config.train.batch_tokens,
                                         config.train.batch_tokens, config.train.tokens));
    progress.add(1);
  }
  writer.close();
  const Json manifest = {{"format", 1},
                         {"rows", rows},
                         {"width", config.train.context},
                         {"steps", steps},
                         {"vocab", config.model.vocab},
                         {"config", describe_config(config.model)},
                         {"optimizer", describe_optimizer(config.optimizer, *model)},
                         {"lrs", lrs},
                         {"valid", dump_validation(config, encoding, folder, files, steps)}};
  write_file_atomically(files, join_path(folder, "manifest.json"), manifest.dump(1) + "\n");
}

}  // namespace lathe::recipes
