#include "lathe/engine/kernels/attention.h"

#include "lathe/engine/kernels/attention_plan.h"

namespace lathe::kernels {

std::int64_t attention_workspace(const AttentionArgs& args) {
  return attention_detail::plan_forward(args).bytes;
}

std::int64_t attention_backward_workspace(const AttentionBackwardArgs& args) {
  return attention_detail::plan_backward(args).bytes;
}

}  // namespace lathe::kernels
