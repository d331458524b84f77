#include "lathe/model/weights/gguf_types.h"

#include <algorithm>
#include <cctype>

#include "lathe/base/error.h"

namespace lathe::weights {
namespace {

using kernels::QuantType;

constexpr std::string_view kTypeNames[kGgufTypes] = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};
constexpr std::size_t kTypeSizes[kGgufTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

// Numbers that are missing were withdrawn or never given.
constexpr GgufTensorType kTensorTypes[] = {
    {0, "F32", 1, 4, DType::f32, {}},
    {1, "F16", 1, 2, DType::f16, {}},
    {2, "Q4_0", 32, 18, {}, QuantType::q4_0},
    {3, "Q4_1", 32, 20, {}, QuantType::q4_1},
    {6, "Q5_0", 32, 22, {}, QuantType::q5_0},
    {7, "Q5_1", 32, 24, {}, QuantType::q5_1},
    {8, "Q8_0", 32, 34, {}, QuantType::q8_0},
    {9, "Q8_1", 32, 36, {}, {}},
    {10, "Q2_K", 256, 84, {}, QuantType::q2_k},
    {11, "Q3_K", 256, 110, {}, QuantType::q3_k},
    {12, "Q4_K", 256, 144, {}, QuantType::q4_k},
    {13, "Q5_K", 256, 176, {}, QuantType::q5_k},
    {14, "Q6_K", 256, 210, {}, QuantType::q6_k},
    {15, "Q8_K", 256, 292, {}, {}},
    {16, "IQ2_XXS", 256, 66, {}, {}},
    {17, "IQ2_XS", 256, 74, {}, {}},
    {18, "IQ3_XXS", 256, 98, {}, {}},
    {19, "IQ1_S", 256, 50, {}, {}},
    {20, "IQ4_NL", 32, 18, {}, QuantType::iq4_nl},
    {21, "IQ3_S", 256, 110, {}, {}},
    {22, "IQ2_S", 256, 82, {}, {}},
    {23, "IQ4_XS", 256, 136, {}, {}},
    {24, "I8", 1, 1, {}, {}},
    {25, "I16", 1, 2, {}, {}},
    {26, "I32", 1, 4, DType::i32, {}},
    {27, "I64", 1, 8, {}, {}},
    {28, "F64", 1, 8, DType::f64, {}},
    {29, "IQ1_M", 256, 56, {}, {}},
    {30, "BF16", 1, 2, DType::bf16, {}},
    {34, "TQ1_0", 256, 54, {}, {}},
    {35, "TQ2_0", 256, 66, {}, {}},
    {39, "MXFP4", 32, 17, {}, QuantType::mxfp4},
    {40, "NVFP4", 64, 36, {}, {}},
    {41, "Q1_0", 128, 18, {}, {}},
    {42, "Q2_0", 64, 18, {}, {}},
};

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::toupper(x) == std::toupper(y);
  });
}

template <typename Condition>
const GgufTensorType* find(Condition condition) {
  const auto* found = std::find_if(std::begin(kTensorTypes), std::end(kTensorTypes), condition);
  return found == std::end(kTensorTypes) ? nullptr : found;
}

}  // namespace

std::string_view name(GgufType type) { return kTypeNames[static_cast<std::uint32_t>(type)]; }
std::size_t size_of(GgufType type) { return kTypeSizes[static_cast<std::uint32_t>(type)]; }

const GgufTensorType* find_tensor_type(std::uint32_t id) {
  return find([&](const GgufTensorType& t) { return t.id == id; });
}

const GgufTensorType* find_tensor_type(std::string_view name) {
  return find([&](const GgufTensorType& t) { return same_letters(t.name, name); });
}

const GgufTensorType& tensor_type(DType dtype) {
  const GgufTensorType* type = find([&](const GgufTensorType& t) { return t.dtype == dtype; });
  if (type == nullptr)
    fail(ErrorCode::kUnsupported, "GGUF has no tensors of type {}", lathe::name(dtype));
  return *type;
}

const GgufTensorType& tensor_type(QuantType quant) {
  const GgufTensorType* type = find([&](const GgufTensorType& t) { return t.quant == quant; });
  LATHE_CHECK(type != nullptr);
  return *type;
}

}  // namespace lathe::weights
