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

void peak_int8(const PeakArgs& args) noexcept {
  parallel_for(thread_count(), 1, [&](std::int64_t begin, std::int64_t) {
    std::uint32_t sum = 1;
    for (std::int64_t i = 0; i < args.rounds * 64 * 12; ++i) sum = sum * 3 + 1;
    args.sink[begin] = static_cast<float>(sum);
  });
}

void peak_read(const ReadArgs& args) noexcept {
  parallel_for(thread_count(), 1, [&](std::int64_t begin, std::int64_t) {
    float sum = 0;
    const std::int64_t n = thread_count();
    for (std::int64_t i = args.count * begin / n; i < args.count * (begin + 1) / n; ++i)
      sum += args.data[i];
    args.sink[begin] = sum;
  });
}

}  // namespace lathe::kernels::reference
