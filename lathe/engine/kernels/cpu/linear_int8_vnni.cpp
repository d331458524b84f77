// Int8 products by vpdpbusd (AVX512-VNNI), and once more for the tests with SIMDe's emulation of
// it.
#include "lathe/engine/kernels/cpu/linear_int8_driver.h"

namespace lathe::kernels::LATHE_ISA {

std::int64_t linear_int8_workspace(const LinearInt8Args& args) noexcept {
  return Int8Product(args).workspace_bytes();
}

void linear_int8(const LinearInt8Args& args) noexcept {
  const Int8Product product(args);
  if (args.workspace_bytes < product.workspace_bytes())
    return run_apart(std::span(&args, 1), reference::linear_int8);
  product.run();
}

}  // namespace lathe::kernels::LATHE_ISA
