#include "lathe/model/weights/row_codec.h"

#include <cstring>

#include "lathe/base/error.h"
#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/float16.h"

namespace lathe::weights {
namespace {

constexpr std::int64_t kGrain = 1 << 15;  // elements that a thread takes at once

/// out[i] = convert(in[i]) for all elements.
template <typename To, typename From, typename Convert>
void convert_all(const void* in, void* out, std::int64_t count, Convert convert) {
  const auto* from = static_cast<const From*>(in);
  auto* to = static_cast<To*>(out);
  parallel_for(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = convert(from[i]);
  });
}

}  // namespace

bool writable(const GgufTensorType& type) {
  if (type.quant) return kernels::format(*type.quant).writable;
  return type.dtype == DType::f32 || type.dtype == DType::f16 || type.dtype == DType::bf16;
}

void decode_rows(const GgufTensorType& type, const void* in, float* out, std::int64_t rows,
                 std::int64_t n) {
  using kernels::f16_t;
  if (type.quant) {
    const auto bytes = static_cast<std::int64_t>(row_bytes(type, n));
    const auto* blocks = static_cast<const std::byte*>(in);
    parallel_for(rows, std::max<std::int64_t>(1, kGrain / n),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t r = begin; r < end; ++r)
                     kernels::dequantise_row(*type.quant, blocks + r * bytes, out + r * n, n);
                 });
  } else if (type.dtype == DType::f32) {
    std::memcpy(out, in, static_cast<std::size_t>(rows * n) * sizeof(float));
  } else if (type.dtype == DType::bf16) {
    convert_all<float, bf16_t>(in, out, rows * n, [](bf16_t x) { return to_f32(x); });
  } else {
    LATHE_CHECK(type.dtype == DType::f16);
    convert_all<float, f16_t>(in, out, rows * n, [](f16_t x) { return kernels::to_f32(x); });
  }
}

void encode_rows(const GgufTensorType& type, const float* in, void* out, std::int64_t rows,
                 std::int64_t n) {
  LATHE_CHECK(writable(type) && n % type.block_elements == 0);
  using kernels::f16_t;
  if (type.quant) {
    kernels::quantise_rows(*type.quant, in, out, rows, n);
  } else if (type.dtype == DType::f32) {
    std::memcpy(out, in, static_cast<std::size_t>(rows * n) * sizeof(float));
  } else if (type.dtype == DType::bf16) {
    convert_all<bf16_t, float>(in, out, rows * n, [](float x) { return to_bf16(x); });
  } else {
    convert_all<f16_t, float>(in, out, rows * n, [](float x) { return kernels::to_f16(x); });
  }
}

}  // namespace lathe::weights
