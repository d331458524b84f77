// What a step of inference has to do at least: operations of its products and bytes of weights and
// KV cache. Everything else (norms, activations, the embedding's rows) is left out, as it is small.
#pragma once

#include <string>

#include "lathe/life/bench/row.h"
#include "lathe/model/model.h"

namespace lathe::bench {

/// Facts of a network that costs follow from.
class Cost {
 public:
  explicit Cost(model::LanguageModel& model);

  /// `batch` rows pass `width` tokens each, `depth` tokens behind their start; weights are read
  /// once. Without the head. Wanted::last: in the last block all but keys and values are of the
  /// last token.
  Work layers(std::int64_t batch, std::int64_t width, std::int64_t depth,
              model::Wanted wanted = model::Wanted::all) const;
  /// The projection to the vocabulary of `rows` hidden states.
  Work head(std::int64_t rows) const;

  /// Of everything that a token reads: matrices, vectors and the head.
  double weight_bytes() const { return layer_bytes_ + head_bytes_; }
  /// Of the KV cache of one row a token.
  double kv_bytes() const { return kv_bytes_; }
  /// Type of the KV cache: "f32", ...
  const std::string& cache() const { return cache_; }
  /// Type of most of the weights' bytes: "Q8_0", "bf16", ...
  const std::string& weights() const { return weights_; }
  /// What products are made of: "int8", "bf16" or "f32".
  const std::string& numbers() const { return numbers_; }

 private:
  model::ModelConfig config_;
  double layer_elements_ = 0, layer_bytes_ = 0;  // of matrices; of all but embedding and head
  double head_elements_ = 0, head_bytes_ = 0;
  double kv_bytes_ = 0;
  std::string weights_, numbers_, cache_;
};

/// Adds up what two pieces of work do.
Work operator+(const Work& a, const Work& b);

}  // namespace lathe::bench
