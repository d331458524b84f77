// Chooses the instruction set of a product, and writes panels (the same on all of them).
#include "lathe/engine/kernels/matmul.h"

namespace lathe::kernels {
namespace {

enum class Path { reference, avx2, avx512, avx512_bf16 };

Path path_of(const MatmulArgs& args) {
  const bool wide = args.a.dtype == DType::f64 || args.c.dtype == DType::f64;
  if (wide || isa() == Isa::reference) return Path::reference;
  if (isa() < Isa::avx512) return Path::avx2;
  if (isa() == Isa::avx512_bf16 && args.a.dtype == DType::bf16) return Path::avx512_bf16;
  return Path::avx512;
}

std::int64_t workspace_of(Path path, const MatmulArgs& args) {
  switch (path) {
    case Path::reference:
      return 0;
    case Path::avx2:
      return avx2::matmul_workspace(args);
    case Path::avx512:
      return avx512::matmul_workspace(args);
    default:
      return avx512_bf16::matmul_workspace(args);
  }
}

}  // namespace

std::int64_t matmul_workspace(const MatmulArgs& args) noexcept {
  return workspace_of(path_of(args), args);
}

void matmul(const MatmulArgs& args) noexcept {
  switch (path_of(args)) {
    case Path::reference:
      return reference::matmul(args);
    case Path::avx2:
      return avx2::matmul(args);
    case Path::avx512:
      return avx512::matmul(args);
    default:
      return avx512_bf16::matmul(args);
  }
}

std::int64_t packed_bytes(const View& b) noexcept {
  const std::int64_t k = b.dims[b.rank - 2], n = b.dims[b.rank - 1];
  const std::int64_t words = b.dtype == DType::bf16 ? (k + 1) / 2 : k;
  return (n + 15) / 16 * words * 64;
}

void pack_b(const View& b, void* panels) noexcept {
  if (isa() >= Isa::avx512) return avx512::pack_b(b, panels);
  avx2::pack_b(b, panels);
}

}  // namespace lathe::kernels
