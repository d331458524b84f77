#include "lathe/life/recipes/pretrain.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "lathe/base/error.h"
#include "lathe/base/explain.h"
#include "lathe/base/format.h"
#include "lathe/base/log.h"
#include "lathe/base/nearest.h"
#include "lathe/base/toml.h"
#include "lathe/data/batch_source.h"
#include "lathe/life/generate/generator.h"
#include "lathe/life/plan/machine.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/life/recipes/plan_pretrain.h"
#include "lathe/life/recipes/record_hook.h"
#include "lathe/life/train/hooks/evaluate.h"
#include "lathe/life/train/hooks/profile.h"
#include "lathe/life/train/hooks/save.h"
#include "lathe/life/train/objectives/cross_entropy.h"
#include "lathe/life/train/trainer.h"
#include "lathe/model/load.h"

namespace lathe::recipes {
namespace {

constexpr const char* kLockFile = "lock";
constexpr const char* kCacheFolder = "cache";

/// Keys that may differ between a run and its resumption: none of them changes a bit of the result.
bool may_change(const std::string& key) {
  static const char* const kFree[] = {"name",
                                      "train.micro_tokens",
                                      "train.capture",
                                      "train.memory_budget",
                                      "train.sample_every",
                                      "train.sample_prompt",
                                      "train.sample_tokens",
                                      "checkpoint.every_steps",
                                      "checkpoint.keep",
                                      "data.prefetch",
                                      "data.cache",
                                      "data.token_cache",
                                      "train.compute"};
  return std::any_of(std::begin(kFree), std::end(kFree), [&](const char* k) { return key == k; });
}

/// Refuses to go on with a recipe that would give another run.
void check_same_recipe(const std::string& stored_toml, const PretrainConfig& config,
                       const std::string& folder) {
  PretrainConfig stored;
  read_toml_text(stored_toml, folder + ": config.toml", stored);
  PretrainConfig now = config;
  const auto before = list_keys(fields_of(stored)), after = list_keys(fields_of(now));
  std::string differences;
  for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i) {
    if (after[i].is_table || may_change(after[i].path)) continue;
    if (before[i].default_text != after[i].default_text)
      differences += fmt::format("\n  {}: was {}, now {}", after[i].path, before[i].default_text,
                                 after[i].default_text);
  }
  if (write_toml(stored.data) != write_toml(now.data) && differences.empty()) {
    // Lists of sources have no keys of their own above.
    data::DataConfig a = stored.data, b = now.data;
    a.cache = b.cache = "";
    a.prefetch = b.prefetch = a.token_cache = b.token_cache = true;
    if (write_toml(a) != write_toml(b)) differences += "\n  data.train or data.valid";
  }
  if (!differences.empty())
    fail(ErrorCode::kInvalidArgument,
         "{}: the recipe is not the one that this run began with:{}\nGo on with its own recipe "
         "({}/config.toml), or begin another run with --out",
         folder, differences, folder);
}

/// Everything that the trainer needs, built from the configuration.
struct Parts {
  std::unique_ptr<tokenize::Tokenizer> tokenizer;
  data::Encoding encoding;
  std::unique_ptr<model::LanguageModel> model;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::unique_ptr<train::CrossEntropy> objective;
  std::unique_ptr<data::BatchSource> source;
  std::string cache_folder;
};

void build_data(Parts& parts, const PretrainConfig& config, const std::string& run_folder) {
  parts.encoding = data::encoding_of(*parts.tokenizer, config.data.eos, config.data.bos);
  parts.cache_folder = join_path(run_folder, kCacheFolder);
  parts.source = data::open_batches(
      config.data.train, config.data, parts.encoding,
      {.width = config.train.context, .seed = config.seed, .cache_folder = parts.cache_folder});
}

std::unique_ptr<data::BatchSource> open_validation(const Parts& parts,
                                                   const PretrainConfig& config) {
  return data::open_batches(config.data.valid, config.data, parts.encoding,
                            {.width = config.train.context,
                             .seed = config.seed,
                             .sequential = true,
                             .max_tokens = config.train.evaluate_tokens,
                             .cache_folder = parts.cache_folder});
}

void build_model(Parts& parts, const PretrainConfig& config, const FileSystem& files) {
  parts.model = model::build(config.model, compute_type(config.train.compute));
  parts.model->set_recompute(config.train.recompute);
  if (config.model.weights.empty()) {
    model::initialise(*parts.model, static_cast<std::uint64_t>(config.seed));
  } else {
    model::copy_weights(*parts.model, *open_model_files(config.model.weights, files).weights);
  }
  parts.optimizer = optim::make_optimizer(config.optimizer, parts.model->parameters());
  parts.objective = std::make_unique<train::CrossEntropy>(config.train.z_loss,
                                                          multiplies_int8(config.train.compute));
}

/// Goes on where the newest valid checkpoint stands; false where there is none.
bool restore(train::Trainer& trainer, Parts& parts, const PretrainConfig& config,
             const life::Session& session) {
  const std::string checkpoint = train::newest_checkpoint(*session.files, session.run_folder);
  if (checkpoint.empty()) return false;
  const train::LoopState state = train::read_state(*session.files, checkpoint);
  check_same_recipe(session.files->read_all(join_path(checkpoint, "config.toml")), config,
                    session.run_folder);
  if (state.numerics != train::kNumericsVersion)
    fail(ErrorCode::kUnsupported,
         "{}: was trained with numerics version {}, this program has {}; the result would differ",
         checkpoint, state.numerics, train::kNumericsVersion);
  if (state.compute != config.train.compute)
    fail(ErrorCode::kUnsupported,
         "{}: was trained in {}, this session computes in {}; set train.compute = \"{}\"",
         checkpoint, state.compute, config.train.compute, state.compute);
  if (compute_type(state.compute) == DType::bf16 &&
      state.instruction_set != plan::instruction_set())
    fail(ErrorCode::kUnsupported,
         "{}: bf16 products of {} round otherwise than those of {}; go on where it began",
         checkpoint, state.instruction_set, plan::instruction_set());
  train::load_weights(*session.files, checkpoint, *parts.model);
  train::load_optimizer(*session.files, checkpoint, *parts.optimizer);
  trainer.restore(state);
  log::info("resuming from {} at step {}, {} tokens", checkpoint, state.step,
            human_count(static_cast<double>(state.tokens)));
  return true;
}

std::string write_sample(Parts& parts, const PretrainConfig& config) {
  std::vector<std::int32_t> prompt = parts.tokenizer->encode(config.train.sample_prompt);
  if (prompt.empty() && parts.encoding.eos) prompt.push_back(*parts.encoding.eos);
  if (prompt.empty()) return "";
  const std::int64_t room = config.model.kind == "gpt2"
                                ? config.model.context - static_cast<std::int64_t>(prompt.size())
                                : config.train.sample_tokens;
  generate::GenerateOptions options{.tokens = std::min(config.train.sample_tokens, room)};
  if (parts.encoding.eos) options.stop_ids = {*parts.encoding.eos};
  const auto sample = generate::generate(*parts.model, prompt, options);
  return config.train.sample_prompt + parts.tokenizer->decode(sample.ids);
}

std::string summary_line(const PretrainConfig& c) {
  return fmt::format("{} {}x{}, {}, {} tokens", c.model.kind, c.model.layers, c.model.width,
                     c.optimizer.kind, human_count(static_cast<double>(c.train.tokens)));
}

RecordHook::Options record_options(const PretrainConfig& config, const Parts& parts,
                                   std::optional<std::int64_t> resume_step,
                                   const life::Session& session) {
  RecordHook::Options o;
  o.recorder.folder = session.run_folder;
  o.recorder.name = config.name;
  o.recorder.config = summary_line(config);
  o.recorder.commit = session.commit;
  o.recorder.parameters = parts.model->parameter_count();
  o.recorder.resume_step = resume_step;
  o.recorder.display.total_tokens = config.train.tokens;
  o.recorder.files = session.files;
  o.recorder.quiet = session.quiet;
  o.flops_per_token = flops_per_token(config);
  o.peak_flops = peak_flops(config);
  o.sample_every = config.train.sample_every;
  return o;
}

/// A fresh run must not overwrite another one; a resumed one must exist.
void check_folder(const life::Session& session) {
  const auto old = train::list_checkpoints(*session.files, session.run_folder);
  if (!session.resume && !old.empty())
    fail(ErrorCode::kInvalidArgument,
         "{}: holds a run already; go on with it by --resume, or choose another folder with --out",
         session.run_folder);
  if (session.resume && !session.files->exists(session.run_folder))
    fail(ErrorCode::kNotFound, "{}: there is no run to resume; leave out --resume to begin one",
         session.run_folder);
}

}  // namespace

RunSummary run_pretrain(PretrainConfig config, const life::Session& session) {
  Parts parts;
  parts.tokenizer = open_tokenizer(config, *session.files);
  resolve(config, parts.tokenizer->vocab_size(), *session.files);
  check_memory(config);
  session.files->make_directories(session.run_folder);
  const auto lock = session.files->lock(join_path(session.run_folder, kLockFile));
  check_folder(session);
  config.train.compute = resolved_compute(config.train.compute);

  build_data(parts, config, session.run_folder);
  build_model(parts, config, *session.files);
  train::Trainer trainer({.model = parts.model.get(),
                          .objective = parts.objective.get(),
                          .optimizer = parts.optimizer.get(),
                          .source = parts.source.get(),
                          .train = config.train,
                          .schedule = config.schedule,
                          .lr = config.optimizer.lr,
                          .clip = config.optimizer.clip,
                          .clock = session.clock,
                          .stop = session.stop});
  const bool resumed = session.resume && restore(trainer, parts, config, session);
  trainer.loop_state().compute = config.train.compute;
  trainer.loop_state().instruction_set = plan::instruction_set();
  const std::string config_toml = write_toml(config);
  if (!resumed)
    write_file_atomically(*session.files, join_path(session.run_folder, "config.toml"),
                          config_toml);

  const std::optional<std::int64_t> resume_step =
      resumed ? std::optional(trainer.loop_state().step) : std::nullopt;
  RunSummary summary;
  RecordHook::Options options = record_options(config, parts, resume_step, session);
  options.sample = [&] { return write_sample(parts, config); };
  RecordHook record(std::move(options));
  std::optional<train::EvaluateHook> evaluate;
  if (!config.data.valid.empty())
    evaluate.emplace(open_validation(parts, config), config.train.evaluate_every,
                     config.train.rows_per_micro());
  train::SaveHook save({.files = session.files,
                        .run_folder = session.run_folder,
                        .config = config.checkpoint,
                        .config_toml = config_toml,
                        .tokenizer_json = parts.tokenizer->to_json(),
                        .before = [&] { record.recorder().checkpoint(); }});
  if (evaluate) trainer.add_hook(&*evaluate);
  trainer.add_hook(&record);
  train::ProfileHook profile([&](const std::string& table) { summary.profile = table; });
  if (session.profile) trainer.add_hook(&profile);
  trainer.add_hook(&save);

  try {
    summary.finished = trainer.run();
  } catch (Error& e) {
    record.recorder().finish(runs::RunStatus::kFailed, e.message());
    e.within(fmt::format("the run stopped at step {}; what is saved can be resumed with --resume",
                         trainer.loop_state().step));
    throw;
  }
  summary.step = trainer.loop_state().step;
  summary.tokens = trainer.loop_state().tokens;
  summary.seconds = trainer.loop_state().seconds;
  summary.best_valid_bpb = trainer.loop_state().best_valid_bpb;
  summary.loss = record.last().loss;
  summary.valid_bpb = record.last().valid_bpb.value_or(0);
  summary.parameters = parts.model->parameter_count();
  summary.run_folder = session.run_folder;
  summary.checkpoint = save.newest();  // not read back: a large file would count as memory
  return summary;
}

}  // namespace lathe::recipes
