#include "lathe/life/recipes/explain_plan.h"

#include "lathe/base/format.h"
#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/engine/graph/captured.h"
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

/// One document a row, random ids, behind `first` tokens.
model::TokenBatch random_tokens(std::int64_t rows, std::int64_t width, std::int64_t vocab,
                                std::int64_t first) {
  data::Batch batch = random_batch(rows, width, vocab);
  for (std::int32_t& position : batch.positions) position += static_cast<std::int32_t>(first);
  return model::TokenBatch::from(rows, width, batch.tokens.data(), batch.positions.data(),
                                 batch.document_starts.data());
}

/// Reads until the state holds so many tokens.
void fill(model::LanguageModel& model, model::ModelState& state, std::int64_t tokens) {
  constexpr std::int64_t kChunk = 512;
  while (state.length() < tokens)
    model.hidden(random_tokens(state.rows(), std::min(kChunk, tokens - state.length()),
                               model.config().vocab, state.length()),
                 &state, model::Wanted::last);
}

}  // namespace

void StepPlan::fields(Fields& f) {
  f("work", work);
  f("compute", compute);
  f("instruction_set", instruction_set);
  f("peak_flops", peak_flops);
  f("peak_int8", peak_int8);
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
                  .peak_int8 = machine.peak_int8,
                  .bandwidth = machine.bandwidth};
  result.graphs.push_back(
      plan::measure_graph("micro-step", *step.micro_replay(), machine, steady_clock(), kRepeats));
  result.graphs.push_back(
      plan::measure_graph("update", *step.update_replay(), machine, steady_clock(), kRepeats));
  return result;
}

StepPlan explain_inference(const std::string& path, const InferencePlanOptions& o,
                           const FileSystem& files) {
  const OpenedModel opened = open_model(path, o.open, files);
  model::LanguageModel& model = *opened.model;
  const auto state = model.make_state(o.rows, o.depth + o.tokens);
  fill(model, *state, o.depth);
  if (!model.step_key(*state, o.tokens))
    fail(ErrorCode::kUnsupported,
         "{}: its rotary frequencies change with every token here, so no step is captured", path);
  model.encode_weights();
  state->open(o.rows, o.tokens);
  graph::Captured step(
      [&](std::span<const Tensor> in) {
        return std::vector{generate::next_logits(model, {in[0], in[1], in[2]}, state.get())};
      },
      std::make_shared<graph::Arena>());
  const auto batch = random_tokens(o.rows, o.tokens, model.config().vocab, o.depth);
  step.run(std::vector{batch.ids, batch.positions, batch.document_start}, 0);
  const plan::Calibration machine = plan::calibrate_inference(model.compute());
  StepPlan result{
      .work = fmt::format("{} more token{} for {} text{} of {}", o.tokens, o.tokens == 1 ? "" : "s",
                          o.rows, o.rows == 1 ? "" : "s", o.depth),
      .compute = std::string(name(model.compute())),
      .instruction_set = plan::instruction_set(),
      .peak_flops = machine.peak_flops,
      .peak_int8 = machine.peak_int8,
      .bandwidth = machine.bandwidth};
  const int repeats = o.tokens == 1 ? 20 : kRepeats;
  result.graphs.push_back(
      plan::measure_graph("step", *step.replay(), machine, steady_clock(), repeats));
  return result;
}

std::string table_of(const StepPlan& plan) {
  std::string text = fmt::format(
      "{}\n{} in {}, {} threads; peaks: {}FLOP/s, int8 {}OP/s, memory {}/s\nshare: F of the "
      "peak operations a second, B of the memory's bytes a second (more than 100%: from caches)\n",
      plan.work, plan.instruction_set, plan.compute, thread_count(), human_count(plan.peak_flops),
      human_count(plan.peak_int8), human_bytes(plan.bandwidth));
  for (const plan::GraphPlan& graph : plan.graphs) text += "\n" + plan::table_of(graph);
  return text;
}

}  // namespace lathe::recipes
