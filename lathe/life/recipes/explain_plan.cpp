#include "lathe/life/recipes/explain_plan.h"

#include "lathe/base/format.h"
#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/life/generate/decode_step.h"
#include "lathe/life/plan/machine.h"
#include "lathe/life/recipes/model_files.h"
#include "lathe/life/recipes/plan_pretrain.h"
#include "lathe/life/train/captured_step.h"
#include "lathe/life/train/gradients.h"
#include "lathe/life/train/objectives/cross_entropy.h"

namespace lathe::recipes {
namespace {

constexpr int kRepeats = 3;

/// One document a row, random ids.
data::Batch random_batch(std::int64_t rows, std::int64_t width, std::int64_t vocab) {
  data::Batch batch{.rows = rows, .width = width};
  const RandomStream random(1, "explain");
  for (std::int64_t i = 0; i < rows * width; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    batch.tokens.push_back(
        static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocab), 2 * at)));
    batch.targets.push_back(
        static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocab), 2 * at + 1)));
    batch.positions.push_back(static_cast<std::int32_t>(i % width));
    batch.document_starts.push_back(0);
    batch.weights.push_back(1.0f);
  }
  return batch;
}

/// Reads tokens that differ from row to row.
void fill(model::LanguageModel& model, model::ModelState& state, std::int64_t tokens) {
  constexpr std::int64_t kChunk = 512;
  const std::int64_t vocab = model.config().vocab;
  while (state.length() < tokens) {
    const std::int64_t width = std::min(kChunk, tokens - state.length());
    const data::Batch batch = random_batch(state.rows(), width, vocab);
    std::vector<std::vector<std::int32_t>> rows;
    for (std::int64_t r = 0; r < state.rows(); ++r)
      rows.emplace_back(batch.tokens.begin() + r * width, batch.tokens.begin() + (r + 1) * width);
    model.hidden(model::TokenBatch::plain(rows, state.length()), &state);
  }
}

}  // namespace

void StepPlan::fields(Fields& f) {
  f("work", work);
  f("compute", compute);
  f("instruction_set", instruction_set);
  f("peak_flops", peak_flops);
  f("bandwidth", bandwidth);
  f("graphs", graphs);
}

StepPlan explain_step(PretrainConfig config, const FileSystem& files) {
  std::int64_t vocabulary = config.model.vocab;
  if (vocabulary == 0) vocabulary = open_tokenizer(config, files)->vocab_size();
  if (config.data.train.empty()) config.data.train.emplace_back();  // a step does not read them
  if (config.train.tokens == 0) config.train.tokens = config.train.batch_tokens;
  config.schedule.warmup_tokens = 0;
  resolve(config, vocabulary, files);
  check_memory(config);
  const DType compute = compute_type(config.train.compute);
  const auto model = model::build(config.model, compute);
  model->set_recompute(config.train.recompute);
  model::initialise(*model, static_cast<std::uint64_t>(config.seed));
  const auto optimizer = optim::make_optimizer(config.optimizer, model->parameters());
  train::CrossEntropy objective(config.train.z_loss, multiplies_int8(config.train.compute));
  // The same micro-batch again and again, so its tokens are all that rows are needed for.
  train::Gradients gradients(model->parameters(), config.model.vocab);
  train::CapturedStep step(*model, objective, *optimizer,
                           {.memory_budget = config.train.memory_budget});

  const plan::Calibration machine =
      plan::calibrate(config.model, compute, config.train.micro_tokens);
  train::LossSums sums;
  step.micro_step(
      random_batch(config.train.rows_per_micro(), config.train.context, config.model.vocab), sums);
  gradients.end_step();
  step.update({.schedule = 0});
  StepPlan result{.work = fmt::format("a training step: {} micro-steps and an update",
                                      config.train.batch_tokens / config.train.micro_tokens),
                  .compute = resolved_compute(config.train.compute),
                  .instruction_set = plan::instruction_set(),
                  .peak_flops = machine.peak_flops,
                  .bandwidth = machine.bandwidth};
  result.graphs.push_back(
      plan::measure_graph("micro-step", *step.micro_replay(), machine, steady_clock(), kRepeats));
  result.graphs.push_back(
      plan::measure_graph("update", *step.update_replay(), machine, steady_clock(), kRepeats));
  return result;
}

StepPlan explain_decoding(const std::string& path, const DecodePlanOptions& options,
                          const FileSystem& files) {
  const OpenedModel opened = open_model(path, options.open, files);
  model::LanguageModel& model = *opened.model;
  const auto state = model.make_state(options.rows, options.depth + 1);
  fill(model, *state, options.depth);
  generate::DecodeStep step(model);
  std::vector<std::int32_t> ids;
  for (std::int64_t r = 0; r < options.rows; ++r)
    ids.push_back(static_cast<std::int32_t>(r % model.config().vocab));
  step.run(*state, ids);
  if (step.replay() == nullptr)
    fail(ErrorCode::kUnsupported,
         "{}: its rotary frequencies change with every token here, so no step is captured", path);
  const plan::Calibration machine = plan::calibrate_decoding(model.compute());
  StepPlan result{.work = fmt::format("one more token for {} text{} of {} tokens", options.rows,
                                      options.rows == 1 ? "" : "s", options.depth),
                  .compute = std::string(name(model.compute())),
                  .instruction_set = plan::instruction_set(),
                  .peak_flops = machine.peak_flops,
                  .bandwidth = machine.bandwidth};
  constexpr int kSteps = 20;
  result.graphs.push_back(
      plan::measure_graph("decode step", *step.replay(), machine, steady_clock(), kSteps));
  return result;
}

std::string table_of(const StepPlan& plan) {
  std::string text = fmt::format(
      "{}\n{} in {}, {} threads: {}FLOP/s at the peak, {}/s of memory\nshare: F of the peak "
      "operations a second (int8 of its own peak), B of the memory's bytes a second (more than "
      "100%: from caches)\n",
      plan.work, plan.instruction_set, plan.compute, thread_count(), human_count(plan.peak_flops),
      human_bytes(plan.bandwidth));
  for (const plan::GraphPlan& graph : plan.graphs) text += "\n" + plan::table_of(graph);
  return text;
}

}  // namespace lathe::recipes
