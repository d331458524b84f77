// Which type each tensor of a GGUF file gets: the mixtures of llama-quantize, tensor by tensor as
// it chooses. Source: llama.cpp, src/llama-quant.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lathe/engine/tensor/shape.h"
#include "lathe/model/weights/gguf_types.h"

namespace lathe::weights {

/// What --type names: one type for all matrices, or a mixture around one.
struct GgufRecipe {
  std::string_view name;
  std::uint32_t file_type;  // general.file_type
  const GgufTensorType* base;
};

/// In any case; Q4_K and Q5_K are their _M mixtures, as llama-quantize has it. Throws
/// InvalidArgument with the names that there are.
const GgufRecipe& gguf_recipe(std::string_view name);
std::vector<std::string> gguf_recipe_names();
/// The recipe of a general.file_type; null for one that is not written.
const GgufRecipe* gguf_recipe_of(std::uint32_t file_type);

/// A tensor before the choice.
struct GgufTensorFacts {
  std::string name;
  Shape shape;                 // row-major
  const GgufTensorType* type;  // as stored; what is not quantised keeps it
};

struct GgufNetworkFacts {
  std::string architecture;
  std::int64_t layers, heads, kv_heads;
};

/// Whether recipes apply to the tensor: matrices that are no norms and no learned positions.
bool takes_recipe(const std::string& name, const Shape& shape);

/// The type of each tensor, in the order given. Rows that are not whole blocks get a type of
/// smaller blocks, or F16.
std::vector<const GgufTensorType*> choose_types(const GgufRecipe& recipe,
                                                const GgufNetworkFacts& network,
                                                const std::vector<GgufTensorFacts>& tensors);

}  // namespace lathe::weights
