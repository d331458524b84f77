// What is minimised: a model and a batch in, a loss and its gradients out.
#pragma once

#include <cstdint>

#include "lathe/data/batch.h"
#include "lathe/model/model.h"

namespace lathe::train {

/// Un-normalised sums over the supervised tokens of a batch; the step divides once by `weight`.
struct LossSums {
  double nll = 0;           // nats, each token times its weight, tokens ascending
  double weight = 0;        // sum of token weights
  std::int64_t tokens = 0;  // supervised tokens
  std::int64_t bytes = 0;   // UTF-8 bytes that they stand for

  LossSums& operator+=(const LossSums& other) {
    nll += other.nll;
    weight += other.weight;
    tokens += other.tokens;
    bytes += other.bytes;
    return *this;
  }
};

class Objective {
 public:
  virtual ~Objective() = default;

  /// Forward and backward of a micro-batch: adds to every accumulator of the model, and to `sums`
  /// (going on from it, so that any split of a batch gives the same bits).
  virtual void train(model::LanguageModel& model, const data::Batch& batch, LossSums& sums) = 0;

  /// Forward only.
  virtual void evaluate(model::LanguageModel& model, const data::Batch& batch, LossSums& sums) = 0;
};

}  // namespace lathe::train
