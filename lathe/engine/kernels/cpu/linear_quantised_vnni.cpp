// Products with quantised weights by vpdpbusd (AVX512-VNNI), and once more for the tests with
// SIMDe's emulation of it.
#include "lathe/engine/kernels/cpu/linear_quantised_driver.h"

namespace lathe::kernels::LATHE_ISA {

std::int64_t linear_quantised_workspace(const LinearQuantisedArgs& args) noexcept {
  return workspace_of_product(args);
}

void linear_quantised(const LinearQuantisedArgs& args) noexcept {
  if (args.x.count() == 0 || args.blocks.count() == 0 ||
      args.workspace_bytes < workspace_of_product(args))
    return reference::linear_quantised(args);
  with_product(args, [](const auto& product) { product.run(); });
}

void linears_quantised(std::span<const LinearQuantisedArgs> all) noexcept {
  if (std::all_of(all.begin(), all.end(), can_join)) return JoinedProducts(all).run();
  for (const LinearQuantisedArgs& args : all) LATHE_ISA::linear_quantised(args);
}

}  // namespace lathe::kernels::LATHE_ISA
