#include <cmath>

#include "lathe/base/error.h"
#include "lathe/life/plan/machine.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/life/recipes/pretrain.h"

namespace lathe::recipes {

void ModelSection::fields(Fields& f) {
  f("weights", weights,
    "start from these weights: a run folder, a checkpoint, a Hugging Face folder, a GGUF file or "
    "the name of a pulled model; "
    "empty: a new model");
  ModelConfig::fields(f);
}

void TokenizerSection::fields(Fields& f) {
  f("path", path, "tokenizer.json; empty: the one that lies with model.weights");
}

void PretrainConfig::fields(Fields& f) {
  f("recipe", recipe, "what to do", one_of({"pretrain"}));
  f("name", name, "name of the run in lists; empty: the name of the file");
  f("seed", seed, "of every random draw: starting weights, order of documents, samples",
    in_range(0, 9e15));
  f("model", model, "the network");
  f("tokenizer", tokenizer, "text to ids");
  f("data", data, "what is read");
  f("train", train, "how much, in what portions");
  f("optimizer", optimizer, "the update rule");
  f("schedule", schedule, "the learning rate over the run");
  f("checkpoint", checkpoint, "how often the state is saved");
}

std::unique_ptr<tokenize::Tokenizer> open_tokenizer(const PretrainConfig& config,
                                                    const FileSystem& files) {
  if (!config.tokenizer.path.empty()) return tokenize::load_tokenizer(config.tokenizer.path);
  if (!config.model.weights.empty()) {
    auto found = open_tokenizer(open_model_files(config.model.weights, files), files);
    if (found) return found;
    fail(ErrorCode::kNotFound, "{}: there is no tokenizer with these weights; set tokenizer.path",
         config.model.weights);
  }
  fail(ErrorCode::kInvalidArgument,
       "tokenizer.path: expected a tokenizer.json, got nothing; make one with 'lathe tokenizer "
       "train "
       "FILES... --vocab 8192 --out tokenizer.json'");
}

namespace {

/// The network that belongs to model.weights. A recipe that asks for another one is a mistake.
void adopt_network(PretrainConfig& config, const FileSystem& files) {
  const model::ModelConfig found = open_model_files(config.model.weights, files).config;
  const model::ModelConfig untouched;
  const model::ModelConfig& wanted = config.model;
  const auto check = [&](const char* key, std::int64_t asked, std::int64_t nothing,
                         std::int64_t is) {
    if (asked != nothing && asked != is)
      fail(ErrorCode::kInvalidArgument,
           "model.{}: the recipe asks for {}, the weights in {} have {}; leave the key out", key,
           asked, config.model.weights, is);
  };
  check("layers", wanted.layers, untouched.layers, found.layers);
  check("width", wanted.width, untouched.width, found.width);
  check("heads", wanted.heads, untouched.heads, found.heads);
  check("kv_heads", wanted.kv_heads, untouched.kv_heads, found.kv_heads);
  check("hidden", wanted.hidden, untouched.hidden, found.hidden);
  check("vocab", wanted.vocab, untouched.vocab, found.vocab);
  if (wanted.kind != untouched.kind && wanted.kind != found.kind)
    fail(ErrorCode::kInvalidArgument,
         "model.kind: the recipe asks for {}, the weights in {} are {}", wanted.kind,
         config.model.weights, found.kind);
  static_cast<model::ModelConfig&>(config.model) = found;
}

}  // namespace

void resolve(PretrainConfig& config, std::int64_t vocabulary, const FileSystem& files) {
  config.train.resolve();
  if (!config.model.weights.empty()) adopt_network(config, files);
  if (config.model.vocab == 0) config.model.vocab = vocabulary;
  if (config.model.vocab < vocabulary)
    fail(ErrorCode::kInvalidArgument,
         "model.vocab: expected at least the {} ids of the tokenizer, got {}; leave it out to take "
         "the tokenizer's",
         vocabulary, config.model.vocab);
  if (config.model.context == 0) config.model.context = config.train.context;
  config.model.resolve();
  if (config.model.kind == "gpt2" && config.train.context > config.model.context)
    fail(ErrorCode::kInvalidArgument,
         "train.context: {} tokens do not fit the {} learned positions of the model",
         config.train.context, config.model.context);
  if (config.data.train.empty())
    fail(ErrorCode::kInvalidArgument,
         "data.train: expected files, folders or globs to train on, got none");
  if (config.schedule.warmup_tokens > config.train.tokens)
    fail(ErrorCode::kInvalidArgument,
         "schedule.warmup_tokens: {} is more than the {} tokens of the run",
         config.schedule.warmup_tokens, config.train.tokens);
  if (!std::isfinite(config.optimizer.lr) || config.optimizer.lr <= 0)
    fail(ErrorCode::kInvalidArgument, "optimizer.lr: expected a positive number, got {}",
         config.optimizer.lr);
}

DType compute_type(const std::string& compute) {
  if (compute.ends_with("f32")) return DType::f32;
  if (compute.ends_with("bf16")) return DType::bf16;
  return plan::multiplies_bf16() ? DType::bf16 : DType::f32;
}

bool multiplies_int8(const std::string& compute) { return compute.starts_with("int8"); }

std::string resolved_compute(const std::string& compute) {
  return (multiplies_int8(compute) ? "int8_" : "") + std::string(name(compute_type(compute)));
}

}  // namespace lathe::recipes
