#include "lathe/life/recipes/plan_pretrain.h"

#include <algorithm>

#include "lathe/base/cpu_memory.h"
#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/data/batch_source.h"
#include "lathe/data/survey.h"
#include "lathe/life/plan/calibrate.h"
#include "lathe/life/plan/machine.h"
#include "lathe/life/plan/trace.h"
#include "lathe/life/train/gradients.h"
#include "lathe/life/train/objectives/cross_entropy.h"

namespace lathe::recipes {
namespace {

/// One micro-batch and one update on meta tensors.
struct StepTrace {
  plan::Trace micro, update;
  std::int64_t weight_bytes = 0, gradient_bytes = 0, optimizer_bytes = 0;
  std::unique_ptr<model::LanguageModel> model;
};

std::int64_t meta_bytes() { return memory_stats(Device::meta).in_use; }

StepTrace trace_step(const PretrainConfig& config) {
  StepTrace t;
  const std::int64_t start = meta_bytes();
  t.model = model::build(config.model, compute_type(config.train.compute), Device::meta);
  t.model->set_recompute(config.train.recompute);
  t.weight_bytes = meta_bytes() - start;
  train::Gradients gradients(t.model->parameters(),
                             config.train.rows_per_group() * config.train.context);
  t.gradient_bytes = meta_bytes() - start - t.weight_bytes;
  const auto optimizer = optim::make_optimizer(config.optimizer, t.model->parameters());
  t.optimizer_bytes = meta_bytes() - start - t.weight_bytes - t.gradient_bytes;

  data::Batch batch;
  batch.rows = config.train.rows_per_micro();
  batch.width = config.train.context;
  const auto n = static_cast<std::size_t>(batch.rows * batch.width);
  batch.tokens.assign(n, 0);
  batch.targets.assign(n, 0);
  batch.positions.assign(n, 0);
  batch.document_starts.assign(n, 0);
  batch.weights.assign(n, 1.0f);
  train::CrossEntropy objective(config.train.z_loss, multiplies_int8(config.train.compute));
  t.micro = plan::trace([&] {
    train::LossSums sums;
    objective.train(*t.model, batch, sums);
  });
  t.update = plan::trace([&] {
    gradients.begin_step();
    gradients.end_step();
    optimizer->step({});
  });
  // Sums of earlier groups wait as copies of the gradients: as many as a binary counter has digits.
  for (std::int64_t g = config.train.reduce_groups; g > 1; g /= 2)
    t.gradient_bytes += t.gradient_bytes / (config.model.tied ? 2 : 1);
  return t;
}

std::int64_t peak_bytes(const StepTrace& t) {
  const std::int64_t working = std::max(t.micro.peak_bytes + t.micro.workspace_bytes,
                                        t.update.peak_bytes + t.update.workspace_bytes);
  return t.weight_bytes + t.gradient_bytes + t.optimizer_bytes + working;
}

double step_flops(const StepTrace& t, const PretrainConfig& c) {
  return t.micro.flops * static_cast<double>(c.train.batch_tokens / c.train.micro_tokens) +
         t.update.flops;
}

double mixed_peak(const StepTrace& t, const PretrainConfig& config, double other, double int8) {
  double rounded = 0;
  for (const auto& [name, totals] : t.micro.ops)
    if (plan::is_int8(name)) rounded += totals.flops;
  rounded *= static_cast<double>(config.train.batch_tokens / config.train.micro_tokens);
  const double all = step_flops(t, config);
  return all / (rounded / int8 + (all - rounded) / other);
}

std::string part_of(const autograd::Parameter& p) {
  if (p.role() == autograd::Role::embedding) return "embedding";
  if (p.role() == autograd::Role::head) return "head";
  if (p.role() == autograd::Role::vector) return "norms and biases";
  return p.name().find("attn") != std::string::npos ? "attention" : "mlp";
}

void fill_data(PlanReport& r, const PretrainConfig& config, const tokenize::Tokenizer& tokenizer,
               const std::string& cache_folder) {
  const data::Encoding encoding = data::encoding_of(tokenizer, config.data.eos, config.data.bos);
  const auto source = data::open_batches(
      config.data.train, config.data, encoding,
      {.width = config.train.context, .seed = config.seed, .cache_folder = cache_folder});
  constexpr std::int64_t kSample = 2'000'000;
  const data::Survey survey = data::survey(*source, kSample);
  r.data_exact = survey.exact;
  r.documents = survey.documents;
  r.tokens = survey.tokens;
  r.supervised = survey.supervised;
  r.padded = survey.padded;
  r.dropped = survey.dropped;
  r.skipped = survey.skipped;
  if (survey.supervised > 0)
    r.epochs = static_cast<double>(config.train.tokens) / static_cast<double>(survey.supervised);
  else
    fail(ErrorCode::kInvalidArgument, "data.train: there is nothing to predict in it");
}

void refuse_beyond_memory(std::int64_t needed) {
  const std::int64_t total = total_memory_bytes();
  if (total > 0 && needed > total)
    fail(ErrorCode::kOutOfMemory,
         "this run needs {} of memory, the machine has {}; a smaller train.micro_tokens, "
         "train.recompute = true or a smaller model would help ('lathe plan' shows the parts)",
         human_bytes(static_cast<double>(needed)), human_bytes(static_cast<double>(total)));
}

}  // namespace

void PlanReport::Part::fields(Fields& f) {
  f("name", name);
  f("parameters", parameters);
}

void PlanReport::fields(Fields& f) {
  f("parameters", parameters);
  f("parts", parts);
  f("peak_bytes", peak_bytes);
  f("weight_bytes", weight_bytes);
  f("gradient_bytes", gradient_bytes);
  f("optimizer_bytes", optimizer_bytes);
  f("activation_bytes", activation_bytes);
  f("available_bytes", available_bytes);
  f("steps", steps);
  f("micro_batches", micro_batches);
  f("flops_per_step", flops_per_step);
  f("flops_per_token", flops_per_token);
  f("compute", compute);
  f("instruction_set", instruction_set);
  f("peak_flops", peak_flops);
  f("tokens_per_second", tokens_per_second);
  f("hours", hours);
  f("mfu", mfu);
  f("data_exact", data_exact);
  f("documents", documents);
  f("tokens", tokens);
  f("supervised", supervised);
  f("padded", padded);
  f("dropped", dropped);
  f("skipped", skipped);
  f("epochs", epochs);
}

double flops_per_token(const PretrainConfig& config) {
  return step_flops(trace_step(config), config) / static_cast<double>(config.train.batch_tokens);
}

double mixed_peak(const PretrainConfig& config, double other, double int8) {
  return mixed_peak(trace_step(config), config, other, int8);
}

double peak_flops(const PretrainConfig& config) {
  const double other = plan::peak_flops(compute_type(config.train.compute));
  if (!multiplies_int8(config.train.compute)) return other;
  return mixed_peak(config, other, plan::peak_int8_ops());
}

void check_memory(const PretrainConfig& config) {
  refuse_beyond_memory(peak_bytes(trace_step(config)));
}

PlanReport plan_pretrain(PretrainConfig config, const std::string& cache_folder,
                         const FileSystem& files) {
  const auto tokenizer = open_tokenizer(config, files);
  resolve(config, tokenizer->vocab_size(), files);
  const StepTrace t = trace_step(config);

  PlanReport r;
  for (const autograd::Parameter* p : t.model->parameters()) {
    const std::string part = part_of(*p);
    auto found = std::find_if(r.parts.begin(), r.parts.end(),
                              [&](const PlanReport::Part& x) { return x.name == part; });
    if (found == r.parts.end()) found = r.parts.insert(r.parts.end(), {part, 0});
    found->parameters += p->shape().count();
    r.parameters += p->shape().count();
  }
  r.weight_bytes = t.weight_bytes;
  r.gradient_bytes = t.gradient_bytes;
  r.optimizer_bytes = t.optimizer_bytes;
  r.peak_bytes = peak_bytes(t);
  r.activation_bytes = r.peak_bytes - t.weight_bytes - t.gradient_bytes - t.optimizer_bytes;
  r.available_bytes = available_memory_bytes();
  refuse_beyond_memory(r.peak_bytes);
  r.steps = (config.train.tokens + config.train.batch_tokens - 1) / config.train.batch_tokens;
  r.micro_batches = config.train.batch_tokens / config.train.micro_tokens;
  r.flops_per_step = step_flops(t, config);
  r.flops_per_token = r.flops_per_step / static_cast<double>(config.train.batch_tokens);
  r.compute = resolved_compute(config.train.compute);
  r.instruction_set = plan::instruction_set();
  fill_data(r, config, *tokenizer, cache_folder);

  const plan::Calibration machine =
      plan::calibrate(config.model, compute_type(r.compute), config.train.micro_tokens);
  r.peak_flops = multiplies_int8(r.compute)
                     ? mixed_peak(t, config, machine.peak_flops, machine.peak_int8)
                     : machine.peak_flops;
  const double seconds =
      plan::predict_seconds(t.micro, machine) * static_cast<double>(r.micro_batches) +
      plan::predict_seconds(t.update, machine);
  r.tokens_per_second = static_cast<double>(config.train.batch_tokens) / seconds;
  r.hours = static_cast<double>(config.train.tokens) / r.tokens_per_second / 3600;
  r.mfu = r.flops_per_step / seconds / r.peak_flops;
  return r;
}

}  // namespace lathe::recipes
