#include "lathe/engine/kernels/isa.h"

#include <cpuid.h>
#include <immintrin.h>

#include <atomic>
#include <cstdlib>

namespace lathe::kernels {
namespace {

__attribute__((target("xsave"))) unsigned long long enabled_state() { return _xgetbv(0); }

struct Cpu {
  bool avx2 = false, avx_vnni = false, avx512 = false, vnni = false, bf16 = false;

  Cpu() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0) return;
    const bool fma = c & (1u << 12), f16c = c & (1u << 29), osxsave = c & (1u << 27);
    if (!osxsave || !fma || !f16c) return;
    const unsigned long long state = enabled_state();
    if ((state & 6) != 6) return;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return;
    const unsigned leaf7 = b;
    avx2 = (leaf7 & (1u << 5)) && (leaf7 & (1u << 8));                  // AVX2, BMI2
    const unsigned wanted = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
    avx512 = avx2 && (leaf7 & wanted) == wanted && (state & 0xE6) == 0xE6;
    vnni = avx512 && (c & (1u << 11));
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) == 0) return;
    bf16 = vnni && (a & (1u << 5));
    avx_vnni = avx2 && (a & (1u << 4));
  }
};

const Cpu& cpu() {
  static const Cpu instance;
  return instance;
}

Isa initial() {
  Isa level = best_isa();
  if (const char* text = std::getenv("LATHE_ISA")) {
    for (const Isa wanted :
         {Isa::reference, Isa::avx2, Isa::avx2_vnni, Isa::avx512, Isa::avx512_vnni})
      if (name(wanted) == text && wanted < level && runs(wanted)) level = wanted;
  }
  return level;
}

std::atomic<Isa>& current() {
  static std::atomic<Isa> level{initial()};
  return level;
}

constexpr int kNoOverride = -1;
thread_local int thread_level = kNoOverride;

}  // namespace

IsaScope::IsaScope(Isa level) : outer_(thread_level) { thread_level = static_cast<int>(level); }
IsaScope::~IsaScope() { thread_level = outer_; }

Isa best_isa() {
  if (cpu().bf16) return Isa::avx512_bf16;
  if (cpu().vnni) return Isa::avx512_vnni;
  if (cpu().avx512) return Isa::avx512;
  return cpu().avx_vnni ? Isa::avx2_vnni : Isa::avx2;
}

Isa isa() {
  if (thread_level != kNoOverride) return static_cast<Isa>(thread_level);
  return current().load(std::memory_order_relaxed);
}

bool runs(Isa level) { return level <= best_isa() && (level != Isa::avx2_vnni || cpu().avx_vnni); }

bool set_isa(Isa level) {
  if (!runs(level)) return false;
  current().store(level);
  return true;
}

std::string_view name(Isa level) {
  constexpr std::string_view kNames[] = {"reference", "avx2",        "avx2_vnni",
                                         "avx512",    "avx512_vnni", "avx512_bf16"};
  return kNames[static_cast<int>(level)];
}

bool processor_is_supported() { return cpu().avx2; }

}  // namespace lathe::kernels
