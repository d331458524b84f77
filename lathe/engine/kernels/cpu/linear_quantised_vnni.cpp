// Products with quantised weights by vpdpbusd (AVX512-VNNI), and once more for the tests with
// SIMDe's emulation of it.
#include "lathe/engine/kernels/cpu/linear_quantised_driver.h"

namespace lathe::kernels::LATHE_ISA {

std::int64_t linear_quantised_workspace(const LinearQuantisedArgs& args) noexcept {
  if (args.x.count() == 0 || args.blocks.count() == 0) return 0;
  return with_product(args, [](const auto& product) { return product.workspace_bytes(); });
}

void linear_quantised(const LinearQuantisedArgs& args) noexcept {
  if (args.x.count() == 0 || args.blocks.count() == 0 ||
      args.workspace_bytes < LATHE_ISA::linear_quantised_workspace(args))
    return reference::linear_quantised(args);
  with_product(args, [](const auto& product) { product.run(); });
}

}  // namespace lathe::kernels::LATHE_ISA
