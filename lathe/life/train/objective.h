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

/// A batch as tensors: all that changes between micro-steps of one shape.
struct BatchTensors {
  model::TokenBatch ids;  // i32 [B,T]
  Tensor targets;         // i32 [N]
  Tensor weights;         // f32 [N]

  /// Contents undefined.
  static BatchTensors empty(std::int64_t rows, std::int64_t width);
  /// Copies a batch of that shape.
  void fill(const data::Batch& batch) const;
};

class Objective {
 public:
  virtual ~Objective() = default;

  /// Forward and backward of a micro-batch, in ops alone, the same ones for every batch of a shape:
  /// it can be captured. Adds to every accumulator of the model. Returns the loss of each token,
  /// f32 [N].
  virtual Tensor micro_step(model::LanguageModel& model, const BatchTensors& batch) = 0;

  /// Forward only, likewise.
  virtual Tensor losses(model::LanguageModel& model, const BatchTensors& batch) = 0;

  /// A micro-step at once; adds to `sums` (going on from it, so that any split of a batch gives the
  /// same bits).
  void train(model::LanguageModel& model, const data::Batch& batch, LossSums& sums);
  void evaluate(model::LanguageModel& model, const data::Batch& batch, LossSums& sums);
};

/// Tokens ascending.
void add_losses(const data::Batch& batch, const Tensor& losses, LossSums& sums);

}  // namespace lathe::train
