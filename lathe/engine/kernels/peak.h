// Register-only loops that measure what the processor can do at best.
#pragma once

#include <cstdint>

#include "lathe/engine/kernels/isa.h"

namespace lathe::kernels {

/// `rounds` rounds of independent multiply-adds on every thread; `sink` keeps them alive.
struct PeakArgs {
  std::int64_t rounds = 0;
  float* sink = nullptr;  // one float a thread
};

/// f32 fused multiply-adds. Returns nothing; a round is kPeakFlops operations a thread.
LATHE_KERNEL(peak_f32, PeakArgs)
constexpr std::int64_t kPeakFlops = 2 * 16 * 12;
constexpr std::int64_t kPeakFlopsBf16 = 2 * 32 * 12;

/// Products of unsigned and signed bytes added up in 32 bits: vpdpbusd where the level has it, else
/// vpmaddubsw, vpmaddwd and vpaddd. A round is kPeakOpsInt8 operations a thread.
void peak_int8(const PeakArgs& args) noexcept;
constexpr std::int64_t kPeakOpsInt8 = 2 * 64 * 12;

#define LATHE_PEAK_INT8(isa)                     \
  namespace isa {                                \
  void peak_int8(const PeakArgs& args) noexcept; \
  }
LATHE_PEAK_INT8(reference)
LATHE_PEAK_INT8(avx2)
LATHE_PEAK_INT8(avx2_vnni)
LATHE_PEAK_INT8(avx512)
LATHE_PEAK_INT8(avx512_vnni)
#undef LATHE_PEAK_INT8

namespace avx512_bf16 {
/// vdpbf16ps. Only at Isa::avx512_bf16. A round is kPeakFlopsBf16 operations a thread.
void peak_bf16(const PeakArgs& args) noexcept;
}  // namespace avx512_bf16

/// All threads read `count` floats once, in order; `sink` keeps the sums alive.
struct ReadArgs {
  const float* data = nullptr;
  std::int64_t count = 0;
  float* sink = nullptr;  // one float a thread
};
LATHE_KERNEL(peak_read, ReadArgs)

}  // namespace lathe::kernels
