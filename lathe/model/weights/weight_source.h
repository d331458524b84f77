// Where a model's weights come from: tensors by the names that Hugging Face transformers gives
// them, whatever the container is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/engine/kernels/quant.h"
#include "lathe/engine/tensor/tensor.h"

namespace lathe::weights {

/// A tensor as it lies in its file.
struct StoredTensor {
  Tensor tensor;  // of `shape`; quantised: u8 [rows, row bytes]
  Shape shape;    // in elements
  std::optional<kernels::QuantType> quant;
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// All names, in file order.
  virtual std::vector<std::string> names() const = 0;
  virtual bool contains(const std::string& name) const = 0;
  /// Throws NotFound, or Unsupported for types that the engine does not know.
  virtual StoredTensor get(const std::string& name) const = 0;
  /// For messages: the file that holds the tensor (or would).
  virtual std::string file_of(const std::string& name) const = 0;
};

}  // namespace lathe::weights
