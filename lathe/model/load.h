// Weights into networks: in place for inference, copied for training.
#pragma once

#include "lathe/model/model.h"
#include "lathe/model/weights/weight_source.h"

namespace lathe::model {

/// A network whose parameters read the source's memory where its types allow: f32 and bf16 lie in
/// place whatever `compute` is (products widen bf16 for f32), quantised blocks too; f16 is
/// converted, and so is f32 for a network that computes in bf16. It cannot be trained. config is
/// resolved. Throws NotFound, ShapeMismatch or Corrupt naming the file, the tensor, what was
/// expected and what was found.
std::unique_ptr<LanguageModel> open_for_inference(const ModelConfig& config,
                                                  const weights::WeightSource& source,
                                                  DType compute);

/// Copies the source's values into a network that build() made, quantised ones dequantised: a start
/// for training. Throws likewise.
void copy_weights(LanguageModel& model, const weights::WeightSource& source);

}  // namespace lathe::model
