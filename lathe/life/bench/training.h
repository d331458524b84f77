// The speed of training: whole steps of the loop that `lathe train` runs, on a generated text.
#pragma once

#include "lathe/life/bench/inference.h"
#include "lathe/life/bench/scratch.h"
#include "lathe/life/recipes/pretrain.h"

namespace lathe::bench {

/// A Llama of 10 million weights, rows of 512 tokens, 4096 tokens a step.
recipes::PretrainConfig default_training();

/// Steps of this recipe's network, optimizer and portions, after one that does not count. Data and
/// tokenizer of the recipe are left aside; where model.vocab is open, its tokenizer tells it.
/// Throws what such a run would throw.
Row measure_training(recipes::PretrainConfig config, const TemporaryFolder& scratch,
                     const Measuring& how);

}  // namespace lathe::bench
