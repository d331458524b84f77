#include "lathe/life/train/objective.h"

#include <cstring>

namespace lathe::train {
namespace {

BatchTensors tensors_of(const data::Batch& batch) {
  const BatchTensors tensors = BatchTensors::empty(batch.rows, batch.width);
  tensors.fill(batch);
  return tensors;
}

template <typename T>
void copy(const std::vector<T>& from, const Tensor& to) {
  LATHE_CHECK(std::ssize(from) == to.count());
  if (!from.empty()) std::memcpy(to.bytes_begin(), from.data(), to.bytes());
}

}  // namespace

BatchTensors BatchTensors::empty(std::int64_t rows, std::int64_t width) {
  const auto ids = [&] { return Tensor::empty({rows, width}, DType::i32); };
  return {{ids(), ids(), ids()},
          Tensor::empty({rows * width}, DType::i32),
          Tensor::empty({rows * width}, DType::f32)};
}

void BatchTensors::fill(const data::Batch& batch) const {
  copy(batch.tokens, ids.ids);
  copy(batch.positions, ids.positions);
  copy(batch.document_starts, ids.document_start);
  copy(batch.targets, targets);
  copy(batch.weights, weights);
}

void add_losses(const data::Batch& batch, const Tensor& losses, LossSums& sums) {
  if (!losses.has_data()) return;  // meta
  const float* values = losses.data<float>();
  for (std::size_t t = 0; t < batch.targets.size(); ++t) {
    if (batch.targets[t] < 0) continue;
    sums.nll += static_cast<double>(batch.weights[t]) * static_cast<double>(values[t]);
    sums.weight += static_cast<double>(batch.weights[t]);
    ++sums.tokens;
  }
  sums.bytes += batch.bytes;
}

void Objective::train(model::LanguageModel& model, const data::Batch& batch, LossSums& sums) {
  add_losses(batch, micro_step(model, tensors_of(batch)), sums);
}

void Objective::evaluate(model::LanguageModel& model, const data::Batch& batch, LossSums& sums) {
  add_losses(batch, losses(model, tensors_of(batch)), sums);
}

}  // namespace lathe::train
