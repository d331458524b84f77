#include "lathe/engine/kernels/peak.h"

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/math.h"

namespace lathe::kernels::reference {

void peak_f32(const PeakArgs& args) noexcept {
  parallel_for(thread_count(), 1, [&](std::int64_t begin, std::int64_t) {
    float sum = 1.0f;
    for (std::int64_t i = 0; i < args.rounds * 16 * 12; ++i) sum = fma(sum, 0.999f, 1e-6f);
    args.sink[begin] = sum;
  });
}

}  // namespace lathe::kernels::reference
