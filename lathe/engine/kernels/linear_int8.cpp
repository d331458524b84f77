// Chooses the instruction set of an int8 product.
#include "lathe/engine/kernels/linear_int8.h"

namespace lathe::kernels {
namespace {

bool takes_plain_loop(const LinearInt8Args& args) {
  return isa() == Isa::reference || args.x.dims[1] > kMostInt8K;
}

}  // namespace

std::int64_t linear_int8_workspace(const LinearInt8Args& args) noexcept {
  if (takes_plain_loop(args)) return 0;
  if (isa() == Isa::avx2) return avx2::linear_int8_workspace(args);
  if (isa() == Isa::avx2_vnni) return avx2_vnni::linear_int8_workspace(args);
  if (isa() == Isa::avx512) return avx512::linear_int8_workspace(args);
  return avx512_vnni::linear_int8_workspace(args);
}

void linear_int8(const LinearInt8Args& args) noexcept {
  if (takes_plain_loop(args)) return run_apart(std::span(&args, 1), reference::linear_int8);
  if (isa() == Isa::avx2) return avx2::linear_int8(args);
  if (isa() == Isa::avx2_vnni) return avx2_vnni::linear_int8(args);
  if (isa() == Isa::avx512) return avx512::linear_int8(args);
  avx512_vnni::linear_int8(args);
}

}  // namespace lathe::kernels
