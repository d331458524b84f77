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

/// Blocks of n values; type must be writable, n a multiple of block_elements. `importance` (n
/// weights >= 0, or null) says how much an error of each column matters.
/// The bytes are those of llama-quantize (without importance matrix when null).
void quantise_row(QuantType type, const float* in, void* blocks, std::int64_t n,
                  const float* importance = nullptr) noexcept;

/// quantise_row over `rows` rows of n values, on all threads. importance: n weights for every row.
void quantise_rows(QuantType type, const float* in, void* blocks, std::int64_t rows, std::int64_t n,
                   const float* importance = nullptr) noexcept;

}  // namespace lathe::kernels
