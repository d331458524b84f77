// Chooses the instruction set of a product with quantised weights; rows of a quantised table; the
// gradient, slab by slab through matmul.
#include "lathe/engine/kernels/linear_quantised.h"

#include <algorithm>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/digits.h"
#include "lathe/engine/kernels/float16.h"
#include "lathe/engine/kernels/matmul.h"
#include "lathe/engine/kernels/rows.h"

namespace lathe::kernels {
namespace {

bool reference_only(const LinearQuantisedArgs& args) {
  return args.y.dtype == DType::f64 || isa() == Isa::reference;
}

std::int64_t one_digit_workspace(const LinearQuantisedArgs& args) noexcept {
  if (isa() == Isa::avx2) return avx2::linear_quantised_workspace(args);
  if (isa() == Isa::avx2_vnni) return avx2_vnni::linear_quantised_workspace(args);
  if (isa() == Isa::avx512) return avx512::linear_quantised_workspace(args);
  return avx512_vnni::linear_quantised_workspace(args);
}

void one_digit(const LinearQuantisedArgs& args) noexcept {
  if (isa() == Isa::avx2) return avx2::linear_quantised(args);
  if (isa() == Isa::avx2_vnni) return avx2_vnni::linear_quantised(args);
  if (isa() == Isa::avx512) return avx512::linear_quantised(args);
  avx512_vnni::linear_quantised(args);
}

bool two_digits(const LinearQuantisedArgs& args) {
  return activation_digits(args.type) == 2 && !args.exact && args.y.dtype != DType::f64;
}

/// Both digits are tokens of one product, so that the weights are read once.
struct DigitsLayout {
  LinearQuantisedArgs product;  // of 2 M tokens, in the workspace
  std::int64_t all_bytes = 0;
};

DigitsLayout lay_out_digits(const LinearQuantisedArgs& args) {
  DigitsLayout out{.product = args};
  LinearQuantisedArgs& p = out.product;
  const auto take = [&](View& v) {
    v.data = static_cast<char*>(args.workspace) + out.all_bytes;
    v.dtype = DType::f32;
    v.dims[0] *= 2;
    v.strides[0] = v.dims[1];
    out.all_bytes += (v.count() * 4 + 63) / 64 * 64;
  };
  take(p.x);
  take(p.y);
  p.bias = {};
  p.workspace = static_cast<char*>(args.workspace) + out.all_bytes;
  p.workspace_bytes = one_digit_workspace(p);
  out.all_bytes += p.workspace_bytes;
  return out;
}

void run_one(const LinearQuantisedArgs& args) noexcept {
  if (!two_digits(args))
    return reference_only(args) ? reference::linear_quantised(args) : one_digit(args);
  if (reference_only(args) || args.x.count() == 0 ||
      args.workspace_bytes < linear_quantised_workspace(args))
    return reference::linear_in_two_digits(args);
  const DigitsLayout lay_out = lay_out_digits(args);
  split_digits({.x = args.x, .split = lay_out.product.x});
  one_digit(lay_out.product);
  add_digits({.sums = lay_out.product.y, .bias = args.bias, .y = args.y});
}

/// Rows of the weights that the gradient expands at a time.
constexpr std::int64_t kSlabRows = 128;

std::int64_t slab_bytes(std::int64_t columns) { return (kSlabRows * columns * 4 + 63) / 64 * 64; }

/// The product of one slab: columns [n, n + rows) of x by the slab, added to y.
MatmulArgs slab_product(const LinearQuantisedArgs& args, std::int64_t n, std::int64_t rows) {
  View x = args.x, w = args.y;
  x.dims[1] = rows;
  x.data = static_cast<char*>(x.data) + n * static_cast<std::int64_t>(size_of(x.dtype));
  w.dims[0] = rows;
  w.strides[0] = w.dims[1];
  w.data = args.workspace;
  const std::int64_t slab = slab_bytes(w.dims[1]);
  return {.a = x,
          .b = w,
          .c = args.y,
          .accumulate = n > 0,
          .workspace = static_cast<char*>(args.workspace) + slab,
          .workspace_bytes = args.workspace_bytes - slab};
}

void dequantise_into(const EmbeddingQuantisedArgs& args, std::int64_t row, std::int64_t n) {
  const std::int64_t columns = args.out.dims[args.out.rank - 1];
  const std::int64_t bytes = args.blocks.dims[1];
  const char* blocks = args.blocks.as<char>() + row * bytes;
  const int elements = block_elements(args.type);
  float values[256];
  for (std::int64_t k = 0; k < columns; k += elements, blocks += block_bytes(args.type)) {
    dequantise_row(args.type, blocks, values, elements);
    const std::int64_t at = n * columns + k;
    for (int i = 0; i < elements; ++i) {
      if (args.out.dtype == DType::bf16) {
        args.out.as<bf16_t>()[at + i] = to_bf16(values[i]);
      } else if (args.out.dtype == DType::f64) {
        args.out.as<double>()[at + i] = values[i];
      } else {
        args.out.as<float>()[at + i] = values[i];
      }
    }
  }
}

}  // namespace

std::int64_t linear_quantised_workspace(const LinearQuantisedArgs& args) noexcept {
  if (reference_only(args)) return 0;
  return two_digits(args) ? lay_out_digits(args).all_bytes : one_digit_workspace(args);
}

void linear_quantised(const LinearQuantisedArgs& args) noexcept { linears_quantised({&args, 1}); }

void linears_quantised(std::span<const LinearQuantisedArgs> all) noexcept {
  const bool plain = std::any_of(all.begin(), all.end(), [](const LinearQuantisedArgs& args) {
    return reference_only(args) || two_digits(args);
  });
  if (plain) return run_apart(all, run_one);
  if (isa() == Isa::avx2) return avx2::linears_quantised(all);
  if (isa() == Isa::avx2_vnni) return avx2_vnni::linears_quantised(all);
  if (isa() == Isa::avx512) return avx512::linears_quantised(all);
  avx512_vnni::linears_quantised(all);
}

std::int64_t linear_quantised_back_workspace(const LinearQuantisedArgs& args) noexcept {
  if (reference_only(args)) return 0;
  const std::int64_t rows = rows_of(args.blocks);
  const auto product = [&](std::int64_t n) { return matmul_workspace(slab_product(args, 0, n)); };
  return slab_bytes(columns_of(args.y)) +
         std::max(product(std::min(kSlabRows, rows)), product(rows % kSlabRows));
}

void linear_quantised_back(const LinearQuantisedArgs& args) noexcept {
  const std::int64_t rows = rows_of(args.blocks), columns = columns_of(args.y);
  if (reference_only(args) || rows == 0 ||
      args.workspace_bytes < linear_quantised_back_workspace(args))
    return reference::linear_quantised_back(args);
  for (std::int64_t n = 0; n < rows; n += kSlabRows) {
    const std::int64_t count = std::min(kSlabRows, rows - n);
    dequantise_rows(args.type, args.blocks.as<char>() + n * args.blocks.dims[1],
                    static_cast<float*>(args.workspace), count, columns);
    matmul(slab_product(args, n, count));
  }
}

void embedding_quantised(const EmbeddingQuantisedArgs& args) noexcept {
  const std::int64_t columns = args.out.dims[args.out.rank - 1], rows = args.blocks.dims[0];
  const std::int32_t* ids = args.ids.as<std::int32_t>();
  parallel_for(args.ids.count(), row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      if (ids[n] >= 0 && ids[n] < rows) {
        dequantise_into(args, ids[n], n);
      } else {
        const auto size = static_cast<std::int64_t>(size_of(args.out.dtype));
        std::fill_n(args.out.as<char>() + n * columns * size, columns * size, '\0');
      }
    }
  });
}

}  // namespace lathe::kernels
