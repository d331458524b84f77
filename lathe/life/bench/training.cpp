#include "lathe/life/bench/training.h"

#include <algorithm>

#include "lathe/base/files.h"
#include "lathe/base/format.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/life/recipes/plan_pretrain.h"
#include "lathe/life/train/objectives/cross_entropy.h"
#include "lathe/life/train/trainer.h"
#include "lathe/model/load.h"

namespace lathe::bench {
namespace {

constexpr std::int64_t kTokenizerIds = 4096;
constexpr std::size_t kTextBytes = 2'000'000;

/// The recipe on a text that is at hand, without what is no part of a step.
std::unique_ptr<tokenize::Tokenizer> set_data(recipes::PretrainConfig& config,
                                              const TemporaryFolder& scratch) {
  recipes::ModelSection& model = config.model;
  if (model.vocab == 0 && !model.weights.empty())
    model.vocab = recipes::open_model_files(model.weights, real_files()).config.vocab;
  if (model.vocab == 0) model.vocab = recipes::open_tokenizer(config, real_files())->vocab_size();
  auto tokenizer = generated_tokenizer(std::min(kTokenizerIds, model.vocab));
  const std::string text = scratch / "text.txt";
  write_file_atomically(real_files(), text, generated_text(kTextBytes));
  config.data = {};
  config.data.train = {{.path = text, .split = "paragraph"}};
  config.data.cache = scratch / "cache";
  config.schedule.warmup_tokens = 0;
  return tokenizer;
}

}  // namespace

recipes::PretrainConfig default_training() {
  recipes::PretrainConfig c;
  c.model.vocab = 8192;
  c.model.layers = 6;
  c.model.width = 320;
  c.model.heads = 5;
  c.model.hidden = 864;
  c.train.context = 512;
  c.train.batch_tokens = 4096;
  c.train.micro_tokens = 4096;
  return c;
}

Row measure_training(recipes::PretrainConfig config, const TemporaryFolder& scratch,
                     const Measuring& how) {
  const auto tokenizer = set_data(config, scratch);
  config.train.tokens = config.train.batch_tokens * (how.repetitions + 1);
  recipes::resolve(config, tokenizer->vocab_size(), real_files());
  recipes::check_memory(config);

  const DType compute = recipes::compute_type(config.train.compute);
  const auto model = model::build(config.model, compute);
  model->set_recompute(config.train.recompute);
  if (config.model.weights.empty()) {
    model::initialise(*model, static_cast<std::uint64_t>(config.seed));
  } else {
    model::copy_weights(*model,
                        *recipes::open_model_files(config.model.weights, real_files()).weights);
  }
  const auto optimizer = optim::make_optimizer(config.optimizer, model->parameters());
  const bool int8 = recipes::multiplies_int8(config.train.compute);
  train::CrossEntropy objective(config.train.z_loss, int8);
  const auto source = data::open_batches(
      config.data.train, config.data,
      data::encoding_of(*tokenizer, config.data.eos, config.data.bos),
      {.width = config.train.context, .seed = config.seed, .cache_folder = config.data.cache});
  train::Trainer trainer({.model = model.get(),
                          .objective = &objective,
                          .optimizer = optimizer.get(),
                          .source = source.get(),
                          .train = config.train,
                          .schedule = config.schedule,
                          .lr = config.optimizer.lr,
                          .clip = config.optimizer.clip,
                          .clock = how.clock});
  trainer.step();
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < how.repetitions; ++i) {
    obey(how.stop);
    const double start = how.clock->seconds();
    trainer.step();
    seconds.push_back(how.clock->seconds() - start);
  }
  Row row{.weights = std::string(name(compute))};
  row.work = fmt::format("train {} T{}", human_count(static_cast<double>(model->parameter_count())),
                         config.train.context);
  row.numbers = int8 ? "int8" : row.weights;
  Peaks peaks = *how.peaks;
  if (int8) peaks.int8 = recipes::peak_flops(config);  // of a step, of which a part is int8
  const auto tokens = static_cast<double>(config.train.batch_tokens);
  set_speed(row, {.tokens = tokens, .flops = recipes::flops_per_token(config) * tokens}, seconds,
            peaks);
  return row;
}

}  // namespace lathe::bench
