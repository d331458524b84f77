#include "lathe/life/train/config.h"

#include "lathe/base/error.h"

namespace lathe::train {

namespace {
/// One chain of additions stays accurate to this many tokens (design 5b).
constexpr std::int64_t kGroupTokens = 65536;
}  // namespace

void TrainConfig::fields(Fields& f) {
  f("context", context, "tokens a row, the longest stretch that attention sees",
    in_range(1, 1 << 20));
  f("batch_tokens", batch_tokens, "tokens an optimizer step", in_range(1, 1 << 30));
  f("micro_tokens", micro_tokens,
    "tokens that pass through the model at once; fewer need less memory, the result is the same to "
    "the bit; 0: chosen (about 4096)",
    in_range(0, 1 << 30));
  f("tokens", tokens, "tokens of the whole run", in_range(0, 1e15));
  f("compute", compute,
    "type of activations and products; auto: bf16 where the processor multiplies it, else f32; "
    "int8: layers of blocks multiply in int8, forward and for gradients of inputs, all else (and "
    "validation) is as in auto; int8_f32, int8_bf16: the same with the other type fixed",
    one_of({"auto", "f32", "bf16", "int8", "int8_f32", "int8_bf16"}));
  f("reduce_groups", reduce_groups,
    "fixed groups whose gradients are summed apart and then in a tree; 0: as many as 65,536 tokens "
    "a group need",
    in_range(0, 1 << 16));
  f("z_loss", z_loss, "weight of the squared log-partition in the gradient (PaLM: 1e-4)",
    in_range(0, 1));
  f("recompute", recompute,
    "run each block's forward pass again in the backward pass: less memory");
  f("capture", capture,
    "capture a step into graphs once and replay them with memory planned ahead; the result is the "
    "same to the bit");
  f("memory_budget", memory_budget,
    "bytes that activations and workspaces of a captured step should take: with room to spare, "
    "more "
    "is kept for the backward pass, with too little, more is computed again in it; the result is "
    "the "
    "same to the bit; 0: neither",
    in_range(0, 1e15));
  f("evaluate_every", evaluate_every, "steps between validations; 0: at the end only",
    in_range(0, 1e12));
  f("evaluate_tokens", evaluate_tokens, "most tokens of a validation", in_range(1, 1e12));
  f("sample_every", sample_every, "steps between text samples; 0: none", in_range(0, 1e12));
  f("sample_prompt", sample_prompt, "text that samples begin with");
  f("sample_tokens", sample_tokens, "tokens of a sample", in_range(1, 100000));
}

void CheckpointConfig::fields(Fields& f) {
  f("every_steps", every_steps, "steps between checkpoints; 0: at the end only", in_range(0, 1e12));
  f("keep", keep, "checkpoints that are kept, the best by validation not counted",
    in_range(1, 100000));
}

void TrainConfig::resolve() {
  if (tokens < 1)
    fail(ErrorCode::kInvalidArgument,
         "train.tokens: expected the tokens of the run, got {}; for example 2e6", tokens);
  if (batch_tokens % context != 0)
    fail(ErrorCode::kInvalidArgument,
         "train.batch_tokens: expected a multiple of train.context = {}, got {}; {} would work",
         context, batch_tokens, (batch_tokens / context + 1) * context);
  if (reduce_groups == 0) {
    reduce_groups = 1;
    while (batch_tokens / reduce_groups > kGroupTokens || rows_per_step() % reduce_groups != 0) {
      ++reduce_groups;
      if (reduce_groups > rows_per_step())
        fail(ErrorCode::kInvalidArgument,
             "train.batch_tokens: {} tokens cannot be cut into groups of at most {} that are whole "
             "rows of {}",
             batch_tokens, kGroupTokens, context);
    }
  }
  if (rows_per_step() % reduce_groups != 0)
    fail(ErrorCode::kInvalidArgument,
         "train.reduce_groups: expected a divisor of the {} rows of a step, got {}",
         rows_per_step(), reduce_groups);
  if (rows_per_group() * context > kGroupTokens && rows_per_group() > 1)
    fail(ErrorCode::kInvalidArgument,
         "train.reduce_groups: {} groups of {} tokens; expected at most 65,536 tokens a group",
         reduce_groups, rows_per_group() * context);
  if (micro_tokens == 0) {
    constexpr std::int64_t kMicro = 4096;
    std::int64_t rows = 1;
    for (std::int64_t r = 1; r <= rows_per_group(); ++r)
      if (rows_per_group() % r == 0 && r * context <= kMicro) rows = r;
    micro_tokens = rows * context;
  }
  if (micro_tokens % context != 0 || rows_per_group() % rows_per_micro() != 0)
    fail(ErrorCode::kInvalidArgument,
         "train.micro_tokens: expected whole rows of {} that divide the {} rows of a group, got {}",
         context, rows_per_group(), micro_tokens);
}

}  // namespace lathe::train
