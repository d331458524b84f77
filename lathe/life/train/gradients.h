// The f32 gradients of a step: one chain of additions per group of tokens, groups added in a fixed
// binary tree, uses of a shared parameter added once in graph order (design 5b).
#pragma once

#include <cstdint>
#include <vector>

#include "lathe/engine/autograd/parameter.h"

namespace lathe::train {

/// Accumulators live in the parameters; partial sums of earlier groups wait here (at most
/// log2(groups) copies). The result depends on the groups, never on micro-batches or threads.
class Gradients {
 public:
  /// Allocates the accumulators of trainable parameters, for groups of at most so many tokens (0:
  /// no limit is known).
  explicit Gradients(const std::vector<autograd::Parameter*>& parameters,
                     std::int64_t group_tokens = 0);

  /// Zeroes everything: a step begins.
  void begin_step();
  /// The accumulators hold the sum of one group.
  void end_group();
  /// After the last group: gradient() of each parameter is that of the step.
  void end_step();

 private:
  struct Partial {
    int level;
    std::vector<Tensor> sums;  // one per trainable parameter
  };
  void merge_uses();

  std::vector<autograd::Parameter*> parameters_;
  std::vector<Partial> partials_;
};

}  // namespace lathe::train
