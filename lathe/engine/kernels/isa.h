// Which instruction set the kernels run on, and the dispatch that follows from it.
//
// kernels/<op>.h declares a kernel once:
//
//   struct RmsNormArgs { View x, weight, y, inverse_rms; float eps; };
//   LATHE_KERNEL(rms_norm, RmsNormArgs)
//
// which declares rms_norm in the namespaces reference (the plain loop in canonical order), avx2 and
// avx512 (one source, kernels/cpu/<op>.cpp, compiled twice), and a dispatcher of that name in
// lathe::kernels. All of them are noexcept, allocate nothing and give the same f32 bits.
#pragma once

#include <string_view>

namespace lathe::kernels {

/// Ordered: each level can run what the ones below it can, but for avx2_vnni (AVX-VNNI: vpdpbusd on
/// 256 bits), which processors with AVX-512 may lack and which is AVX2 for all but int8 products.
enum class Isa { reference, avx2, avx2_vnni, avx512, avx512_vnni, avx512_bf16 };

/// The level in use: what the processor has, lowered by LATHE_ISA=reference|avx2|avx2_vnni|avx512|
/// avx512_vnni|avx512_bf16 (read once), by set_isa or, for this thread, by an IsaScope.
Isa isa();

/// The highest level that this processor runs.
Isa best_isa();

/// Whether this processor runs the level.
bool runs(Isa level);

/// For tests. Levels that this processor does not run are refused (returns false).
bool set_isa(Isa level);

/// Sets the level for the calling thread (kernels dispatch before they go parallel): how f64 calls
/// reach the reference loops.
class IsaScope {
 public:
  explicit IsaScope(Isa level);
  ~IsaScope();
  IsaScope(const IsaScope&) = delete;
  IsaScope& operator=(const IsaScope&) = delete;

 private:
  int outer_;
};

std::string_view name(Isa level);

/// False where AVX2, FMA or F16C is missing: the caller prints a message and ends.
bool processor_is_supported();

}  // namespace lathe::kernels

#define LATHE_KERNEL(kernel, Args)                \
  namespace reference {                           \
  void kernel(const Args& args) noexcept;         \
  }                                               \
  namespace avx2 {                                \
  void kernel(const Args& args) noexcept;         \
  }                                               \
  namespace avx512 {                              \
  void kernel(const Args& args) noexcept;         \
  }                                               \
  inline void kernel(const Args& args) noexcept { \
    switch (isa()) {                              \
      case Isa::reference:                        \
        return reference::kernel(args);           \
      case Isa::avx2:                             \
      case Isa::avx2_vnni:                        \
        return avx2::kernel(args);                \
      default:                                    \
        return avx512::kernel(args);              \
    }                                             \
  }
