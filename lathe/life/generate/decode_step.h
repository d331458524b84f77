// One more token for each row of a text: the step that generation repeats.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lathe/base/parallel.h"
#include "lathe/base/thread_choice.h"
#include "lathe/engine/graph/captured.h"
#include "lathe/model/model.h"

namespace lathe::generate {

/// Logits after the last token of each row, as ops alone (LanguageModel::layers): what a graph of
/// decoding or of reading a prompt captures. Shapes: batch [B,T] -> f32 [B,V].
Tensor next_logits(model::LanguageModel& model, const model::TokenBatch& batch,
                   model::ModelState* state);

/// Captured when it first runs and replayed from then on; captured again when the number of rows or
/// the memory of the model or the state changes. Where the model cannot be captured it runs
/// eagerly. The bits are those of LanguageModel::hidden and logits.
class DecodeStep {
 public:
  explicit DecodeStep(model::LanguageModel& model);
  DecodeStep(const DecodeStep&) = delete;  // the graph's work knows this object
  DecodeStep& operator=(const DecodeStep&) = delete;

  /// Appends a token to each row of the state. Returns the logits of those that come next, valid
  /// until the next call. Shapes: ids [B] -> f32 [B,V]. Throws InvalidArgument for ids outside of
  /// the vocabulary and where the state is full.
  const Tensor& run(model::ModelState& state, std::span<const std::int32_t> ids);

  /// Null before the first captured step.
  graph::Replay* replay() { return captured_.replay(); }
  std::int64_t captures() const { return captured_.captures(); }
  /// Threads that steps run on, for now.
  int threads() const { return threads_.chosen(); }

 private:
  const Tensor& step(model::ModelState& state, std::span<const std::int32_t> ids);
  void fill(std::span<const std::int32_t> ids, std::int64_t position);

  model::LanguageModel& model_;
  model::ModelState* state_ = nullptr;  // of the step that runs
  std::vector<Tensor> inputs_;          // i32 [B,1]: ids, positions, document starts
  graph::Captured captured_;
  ThreadChoice threads_{thread_count()};
  Tensor logits_;
};

}  // namespace lathe::generate
