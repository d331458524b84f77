// The weights of a GGUF file under the names and in the order of rows that Hugging Face
// transformers has.
#pragma once

#include <map>

#include "lathe/model/weights/gguf.h"
#include "lathe/model/weights/gguf_names.h"
#include "lathe/model/weights/weight_source.h"

namespace lathe::weights {

/// Tensors that are the same on both sides are views of the file; those whose rows are in another
/// order are copied row by row, quantised ones too; norms and transposed matrices are made anew.
class GgufWeights : public WeightSource {
 public:
  struct Heads {
    std::int64_t query, key;
  };
  /// Throws Unsupported for an architecture or a tensor of it that is not known.
  GgufWeights(GgufFile file, Heads heads);

  std::vector<std::string> names() const override { return names_; }
  bool contains(const std::string& name) const override { return links_.contains(name); }
  StoredFacts facts(const std::string& name) const override;
  /// The matrices of gpt2 are stored the other way round: they come as f32.
  StoredTensor get(const std::string& name) const override;
  StoredTensor for_product(const std::string& name) const override;
  std::string file_of(const std::string& name) const override;

  const GgufFile& file() const { return file_; }

 private:
  const GgufLink& link(const std::string& name) const;
  std::int64_t groups(const GgufLink& link) const;

  GgufFile file_;
  Heads heads_;
  std::vector<std::string> names_;
  std::map<std::string, GgufLink> links_;  // by Hugging Face name
};

/// Key of a list of f32 that holds, for a norm stored as 1 + w, the w that this rounds away.
std::string exact_key(const std::string& gguf_name);

}  // namespace lathe::weights
