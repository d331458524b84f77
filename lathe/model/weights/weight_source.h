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

/// What is known of a tensor without reading it.
struct StoredFacts {
  Shape shape;                 // in elements
  std::optional<DType> dtype;  // of plain numbers that the engine has
  std::optional<kernels::QuantType> quant;
  std::string type;       // as its container names it: "F32", "i64", "Q4_K", ...
  std::size_t bytes = 0;  // in the file
};

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// All names, in file order.
  virtual std::vector<std::string> names() const = 0;
  virtual bool contains(const std::string& name) const = 0;
  /// Shape and type of what get() gives; touches no weights. Throws NotFound.
  virtual StoredFacts facts(const std::string& name) const = 0;
  /// Throws NotFound, or Unsupported for types that the engine does not know.
  virtual StoredTensor get(const std::string& name) const = 0;
  /// The same for a product to read. Quantised matrices that the container keeps as [out,in] stay
  /// blocks, with outputs as rows, also where the checkpoint has [in,out] (gpt2).
  virtual StoredTensor for_product(const std::string& name) const { return get(name); }
  /// For messages: the file that holds the tensor (or would).
  virtual std::string file_of(const std::string& name) const = 0;
};

/// The float type that most of the weights' bytes have; quantised weights count as f32.
DType main_dtype(const WeightSource& source);

}  // namespace lathe::weights
