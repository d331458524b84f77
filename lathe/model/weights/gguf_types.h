// The types that a GGUF file knows: of metadata values and of tensors.
// Source: the format's published description (ggml, docs/gguf.md) and ggml.h for the numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "lathe/engine/kernels/quant.h"
#include "lathe/engine/tensor/dtype.h"

namespace lathe::weights {

/// Types of metadata values, numbered as in files.
enum class GgufType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};
constexpr std::uint32_t kGgufTypes = 13;

/// "u32", "string", ...
std::string_view name(GgufType type);
/// Bytes of one value; 0 for strings and arrays.
std::size_t size_of(GgufType type);
constexpr bool is_integer(GgufType type) {
  return type != GgufType::f32 && type != GgufType::f64 && type != GgufType::boolean &&
         type != GgufType::string && type != GgufType::array;
}

/// A tensor type: how many elements make a block of how many bytes. A row is whole blocks.
struct GgufTensorType {
  std::uint32_t id;  // in files
  std::string_view name;
  int block_elements;
  int block_bytes;
  std::optional<DType> dtype;               // of plain numbers that the engine has
  std::optional<kernels::QuantType> quant;  // of blocks that the engine computes with

  /// Whether tensors of this type can be opened, not only listed.
  bool readable() const { return dtype.has_value() || quant.has_value(); }
};

/// The type with this number or name (in any case); null where there is none, or it was withdrawn.
const GgufTensorType* find_tensor_type(std::uint32_t id);
const GgufTensorType* find_tensor_type(std::string_view name);
/// f32, f16 or bf16; blocks.
const GgufTensorType& tensor_type(DType dtype);
const GgufTensorType& tensor_type(kernels::QuantType type);

}  // namespace lathe::weights
