// Products with quantised weights.
#include "lathe/engine/kernels/cpu/quant_joined.h"

namespace lathe::kernels::LATHE_ISA {

std::int64_t linear_quantised_workspace(const LinearQuantisedArgs& args) noexcept {
  return workspace_of_product(args);
}

void linear_quantised(const LinearQuantisedArgs& args) noexcept { run_products({&args, 1}); }

void linears_quantised(std::span<const LinearQuantisedArgs> all) noexcept { run_products(all); }

}  // namespace lathe::kernels::LATHE_ISA
