// Rows of any tensor type that is read to f32, and from f32 to any that is written.
#pragma once

#include "lathe/model/weights/gguf_types.h"

namespace lathe::weights {

/// Whether encode_rows can make this type: f32, f16, bf16 and the blocks that kernels/quant.h
/// makes.
bool writable(const GgufTensorType& type);

constexpr std::size_t row_bytes(const GgufTensorType& type, std::int64_t n) {
  return static_cast<std::size_t>(n / type.block_elements * type.block_bytes);
}

/// rows x n values, exactly as stored; on all threads. REQUIRES: f32, f16, bf16 or blocks.
void decode_rows(const GgufTensorType& type, const void* in, float* out, std::int64_t rows,
                 std::int64_t n);

/// The nearest values of the type, as kernels/quant.h makes blocks (f16, bf16: ties to even); on
/// all threads. REQUIRES: writable(type), n is whole blocks.
void encode_rows(const GgufTensorType& type, const float* in, void* out, std::int64_t rows,
                 std::int64_t n);

}  // namespace lathe::weights
