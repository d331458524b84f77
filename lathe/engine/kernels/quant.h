// Quantised blocks as GGUF stores them: which types there are, how large their blocks are, and a
// row to f32 and back. Layouts: docs of ggml, file ggml-common.h (facts); f16 scales are little
// endian.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lathe::kernels {

/// Block types that are read. A row of K elements is K / block_elements(type) blocks, end to end.
enum class QuantType : std::uint8_t {
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  mxfp4,
};
constexpr int kQuantTypes = 12;

struct QuantFormat {
  std::string_view name;  // as GGUF prints it: "Q4_K"
  int block_elements;     // 32 or 256
  int block_bytes;
  bool writable;  // quantise_row exists
};

inline constexpr QuantFormat kQuantFormats[kQuantTypes] = {
    {"Q4_0", 32, 18, true},    {"Q4_1", 32, 20, true},    {"Q5_0", 32, 22, true},
    {"Q5_1", 32, 24, true},    {"Q8_0", 32, 34, true},    {"Q2_K", 256, 84, false},
    {"Q3_K", 256, 110, false}, {"Q4_K", 256, 144, true},  {"Q5_K", 256, 176, true},
    {"Q6_K", 256, 210, true},  {"IQ4_NL", 32, 18, false}, {"MXFP4", 32, 17, false},
};

/// The facts of a type.
constexpr const QuantFormat& format(QuantType type) {
  return kQuantFormats[static_cast<int>(type)];
}

constexpr std::string_view name(QuantType type) { return format(type).name; }
constexpr int block_elements(QuantType type) { return format(type).block_elements; }
constexpr int block_bytes(QuantType type) { return format(type).block_bytes; }

/// Bytes of a row of n elements; n is a multiple of block_elements.
constexpr std::int64_t row_bytes(QuantType type, std::int64_t n) {
  return n / block_elements(type) * block_bytes(type);
}
/// Elements of a row of that many bytes; bytes is a multiple of block_bytes.
constexpr std::int64_t row_elements(QuantType type, std::int64_t bytes) {
  return bytes / block_bytes(type) * block_elements(type);
}

/// The type of that name, in any case ("q4_k", "Q4_K"); nothing where there is none.
std::optional<QuantType> quant_type(std::string_view name);

/// out[0..n) = the values of n / block_elements blocks, each as ggml computes it (f32, the same
/// bits). Any alignment of blocks. n is a multiple of block_elements.
void dequantise_row(QuantType type, const void* blocks, float* out, std::int64_t n) noexcept;

/// Blocks of n values; type must be writable, n a multiple of block_elements. The bytes are those
/// that llama-quantize writes without an importance matrix. A NaN or infinity in a block gives a
/// valid block of undefined value.
void quantise_row(QuantType type, const float* in, void* blocks, std::int64_t n) noexcept;

/// quantise_row (dequantise_row) over rows of n values, on all threads.
void quantise_rows(QuantType type, const float* in, void* blocks, std::int64_t rows,
                   std::int64_t n) noexcept;
void dequantise_rows(QuantType type, const void* blocks, float* out, std::int64_t rows,
                     std::int64_t n) noexcept;

/// Elements that share a scale: 16 or 32.
constexpr int scale_group(QuantType type) {
  return type == QuantType::q2_k || type == QuantType::q3_k || type == QuantType::q6_k ? 16 : 32;
}
/// Whether a value is scale * q + minimum, not scale * q.
constexpr bool has_minimum(QuantType type) {
  return type == QuantType::q4_1 || type == QuantType::q5_1 || type == QuantType::q2_k ||
         type == QuantType::q4_k || type == QuantType::q5_k;
}

/// A block taken apart: element i is scale[g] * q[i] (+ minimum[g]), g = i / scale_group.
/// scale and minimum are exact products of what the block stores.
struct DecodedBlock {
  std::int8_t q[256];
  float scale[16];
  float minimum[16];  // 0 where the type has none
};
void decode_block(QuantType type, const void* block, DecodedBlock& out) noexcept;

}  // namespace lathe::kernels
