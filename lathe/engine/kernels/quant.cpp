#include "lathe/engine/kernels/quant.h"

#include <algorithm>
#include <cctype>

#include "lathe/base/parallel.h"

namespace lathe::kernels {

std::optional<QuantType> quant_type(std::string_view name) {
  const auto same = [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; };
  for (int i = 0; i < kQuantTypes; ++i) {
    const std::string_view known = kQuantFormats[i].name;
    if (std::equal(name.begin(), name.end(), known.begin(), known.end(), same))
      return static_cast<QuantType>(i);
  }
  return std::nullopt;
}

namespace {

/// Rows a thread takes at a time: about 16,384 elements.
std::int64_t grain_of(std::int64_t n) {
  return std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, n));
}

}  // namespace

void quantise_rows(QuantType type, const float* in, void* blocks, std::int64_t rows,
                   std::int64_t n) noexcept {
  const std::int64_t bytes = row_bytes(type, n);
  parallel_for(rows, grain_of(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      quantise_row(type, in + r * n, static_cast<char*>(blocks) + r * bytes, n);
  });
}

void dequantise_rows(QuantType type, const void* blocks, float* out, std::int64_t rows,
                     std::int64_t n) noexcept {
  const std::int64_t bytes = row_bytes(type, n);
  parallel_for(rows, grain_of(n), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      dequantise_row(type, static_cast<const char*>(blocks) + r * bytes, out + r * n, n);
  });
}

}  // namespace lathe::kernels
