#include "lathe/life/plan/machine.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "lathe/base/clock.h"
#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/kernels/peak.h"

namespace lathe::plan {
namespace {

template <typename Work>
double best_seconds(int repeats, Work&& work) {
  double best = 1e300;
  for (int i = 0; i < repeats; ++i) {
    const double start = steady_clock().seconds();
    work();
    best = std::min(best, steady_clock().seconds() - start);
  }
  return std::max(best, 1e-9);
}

// Many short runs: on a shared machine some of them have all cores to themselves.
constexpr std::int64_t kRounds = 10000;
constexpr int kRepeats = 48;

}  // namespace

bool multiplies_bf16() { return kernels::isa() == kernels::Isa::avx512_bf16; }

std::string instruction_set() { return std::string(kernels::name(kernels::isa())); }

double peak_flops(DType compute) {
  std::vector<float> sink(static_cast<std::size_t>(thread_count()));
  const kernels::PeakArgs args{kRounds, sink.data()};
  const bool bf16 = compute == DType::bf16 && multiplies_bf16();
  const double seconds = best_seconds(
      kRepeats, [&] { bf16 ? kernels::avx512_bf16::peak_bf16(args) : kernels::peak_f32(args); });
  const double flops = static_cast<double>(bf16 ? kernels::kPeakFlopsBf16 : kernels::kPeakFlops);
  return flops * kRounds * thread_count() / seconds;
}

double peak_int8_ops() {
  std::vector<float> sink(static_cast<std::size_t>(thread_count()));
  const kernels::PeakArgs args{kRounds, sink.data()};
  const double seconds = best_seconds(kRepeats, [&] { kernels::peak_int8(args); });
  return static_cast<double>(kernels::kPeakOpsInt8) * kRounds * thread_count() / seconds;
}

double read_bandwidth() {
  constexpr std::int64_t kFloats = 64 << 20;  // 256 MiB
  const std::vector<float> data(kFloats, 1.0f);
  std::vector<float> sink(static_cast<std::size_t>(thread_count()));
  const double seconds = best_seconds(16, [&] {
    kernels::peak_read({data.data(), kFloats, sink.data()});
  });
  return 4.0 * kFloats / seconds;
}

double memory_bandwidth() {
  constexpr std::int64_t kBytes = 96 << 20, kChunk = 1 << 20;
  std::vector<char> from(kBytes, 1), to(kBytes);
  const double seconds = best_seconds(3, [&] {
    parallel_for(kBytes, kChunk, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(to.data() + begin, from.data() + begin, static_cast<std::size_t>(end - begin));
    });
  });
  return 2.0 * kBytes / seconds;
}

}  // namespace lathe::plan
