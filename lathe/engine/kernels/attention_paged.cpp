#include "lathe/engine/kernels/paged_plan.h"

namespace lathe::kernels {

std::int64_t attention_paged_workspace(const AttentionPagedArgs& args) {
  return attention_detail::plan_paged(args).forward.bytes;
}

}  // namespace lathe::kernels
