// Keys and values of the tokens so far, in pages.
#pragma once

#include "lathe/engine/ops/ops.h"
#include "lathe/model/model.h"
#include "lathe/model/nn/page_group.h"

namespace lathe::nn {

class KvCache : public model::ModelState {
 public:
  /// Layers with equal windows share a table of pages.
  KvCache(const model::ModelConfig& config, kernels::KvType type, std::int64_t rows,
          std::int64_t capacity);

  std::int64_t rows() const override { return first_.dim(0); }
  std::int64_t length() const override { return length_; }
  std::int64_t capacity() const override { return capacity_; }
  std::int64_t truncate(std::int64_t n) override;
  void select_rows(std::span<const std::int32_t> rows) override;
  /// Of the pages in use.
  std::int64_t bytes() const override;
  void open(std::int64_t rows, std::int64_t tokens) override;
  void advance(std::int64_t tokens) override { length_ += tokens; }
  std::uint64_t memory() const override;

  /// Stores the new keys and values of a layer and attends over all of them, with queries of all
  /// new tokens or of the last one. Shapes: k, v [B,T,K,D]; q [B,T,H,D] and document_start [B,T],
  /// or both of one token -> as q.
  Tensor attend(std::int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                const Tensor& document_start, const ops::AttentionOptions& options);

  /// For models whose keys depend on the length of the text: keeps the batch that comes next and
  /// returns all since the first, so that it can run again after rewind(). Shapes: [B, so far + T].
  model::TokenBatch remember(const model::TokenBatch& next);
  /// Forgets keys and values, not the batches.
  void rewind();
  /// Which way of making keys those inside were made by; the model's own number.
  int regime = 0;

 private:
  struct Place {
    std::size_t group;
    std::int64_t layer;  // in it
  };

  kernels::KvType type_;
  std::int64_t capacity_ = 0, length_ = 0;
  std::vector<PageGroup> groups_;
  std::vector<Place> places_;  // of the model's layers
  Tensor first_;               // i32 [rows]: the length
  Tensor last_;                // the same: place of the last token of a step
  model::TokenBatch past_;
};

}  // namespace lathe::nn
