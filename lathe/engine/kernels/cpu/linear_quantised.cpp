// Products with quantised weights.
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

}  // namespace lathe::kernels::LATHE_ISA
