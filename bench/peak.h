// What one core multiplies when nothing else limits it.
#pragma once

#include "lathe/engine/kernels/isa.h"

namespace lathe::bench {

/// GFLOP/s of one thread: f32 multiply-adds of the level's vectors, or vdpbf16ps when `bf16` and
/// the level is avx512_bf16. The best of a few short runs.
double peak_gflops(kernels::Isa level, bool bf16);

}  // namespace lathe::bench
