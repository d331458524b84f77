// Tensors of Hugging Face checkpoints and of GGUF files into each other's order.
#pragma once

#include "lathe/model/weights/gguf_names.h"
#include "lathe/model/weights/gguf_types.h"
#include "lathe/model/weights/weight_source.h"

namespace lathe::weights {

enum class GgufDirection { to_hf, to_gguf };

/// A copy with its rows moved (interleave, by_part). Blocks stay blocks. groups: heads. Shapes:
/// [rows] or [rows, ...], rows a multiple of the rows of a head.
Tensor reorder_rows(const Tensor& tensor, GgufChange change, std::int64_t groups,
                    GgufDirection direction);

/// The matrix as f32, the other way round.
Tensor transposed(const StoredTensor& matrix);

/// The values as f32.
std::vector<float> decoded(const StoredTensor& tensor);

const GgufTensorType& type_of(const StoredTensor& tensor);
/// Throws Unsupported for a type that GGUF files or the engine do not have.
const GgufTensorType& type_of(const StoredFacts& facts);

/// What a GGUF file stores for a tensor of a Hugging Face checkpoint: the same memory where nothing
/// changes. Throws Corrupt where rows do not divide among the heads.
StoredTensor into_gguf_order(const StoredTensor& tensor, GgufChange change, std::int64_t groups);

}  // namespace lathe::weights
