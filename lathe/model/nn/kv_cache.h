// Keys and values of the tokens so far, one pair of tensors a layer.
#pragma once

#include "lathe/model/model.h"

namespace lathe::nn {

/// Shapes: k and v of a layer [B, capacity, K, D] in the compute type.
class KvCache : public model::ModelState {
 public:
  KvCache(std::int64_t layers, const Shape& layer_shape, DType dtype, Device device);

  std::int64_t length() const override { return length_; }
  std::int64_t capacity() const override { return capacity_; }
  void truncate(std::int64_t n) override;
  void select_rows(std::span<const std::int32_t> rows, std::int64_t from) override;

  struct Seen {
    Tensor k, v;  // [B, length so far, K, D]
  };
  /// Stores the new keys and values of a layer behind the old ones and returns all of them.
  /// Shapes: k, v [B,T,K,D]. Throws InvalidArgument when they do not fit.
  Seen extend(std::int64_t layer, const Tensor& k, const Tensor& v);
  /// After the last layer of a step: T more tokens are in.
  void advance(std::int64_t tokens) { length_ += tokens; }

  /// For models whose keys depend on the length of the text: keeps the batch that comes next and
  /// returns all since the first, so that it can run again after rewind(). Shapes: [B, so far + T].
  model::TokenBatch remember(const model::TokenBatch& next);
  /// Forgets keys and values, not the batches.
  void rewind() { length_ = 0; }
  /// Which way of making keys those inside were made by; the model's own number.
  int regime = 0;

 private:
  std::vector<Tensor> k_, v_;
  model::TokenBatch past_;
  std::int64_t length_ = 0;
  std::int64_t capacity_ = 0;
};

}  // namespace lathe::nn
