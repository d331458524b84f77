// Sums of 6 rows by 16 columns on AVX2, over any number of steps: the tile of the matrix product
// and of attention, in assembly.
//
// Its twins in C++ are step() of matmul_tile.h and chain_tile() of attention_tiles.h: same
// multiplications, same order, same bits. The core of a virtual machine is often one of two
// hyperthreads, and while the other one works, instructions are scarce, not multiplications: the
// loop of g++ 12 (copies of registers, pointers that live on the stack) then ran at 75% of the
// peak, this one at 87%; 93 and 97% when nobody else works (decision 0019).
#pragma once

#include <cstddef>
#include <cstdint>

#include "lathe/engine/kernels/cpu/vec.h"

namespace lathe::kernels::LATHE_ISA {

/// fma(a, b, sum).
inline F32x16 add_product(F32x16 a, F32x16 b, F32x16 sum) {
#if defined(__AVX512F__)
  return fma(a, b, sum);
#else
  // The form that overwrites the sum. Left to choose, g++ 12 overwrites a or b, copies, and
  // spills two of the twelve sums in each round of a loop over k (8% of the time).
  asm("vfmadd231ps %2, %1, %0" : "+x"(sum.lo) : "x"(a.lo), "x"(b.lo));
  asm("vfmadd231ps %2, %1, %0" : "+x"(sum.hi) : "x"(a.hi), "x"(b.hi));
  return sum;
#endif
}

#if !defined(__AVX512F__)

/// How a lies: rows apart, each along k; or rows side by side, a new set every `a_step` bytes.
enum class Left { rows, lanes };

/// What the steps read; strides in bytes. The assembly knows the offsets.
struct SixRows {
  const float* a;             // row 0
  const float* a3;            // Left::rows: row 3
  std::ptrdiff_t a_step;      // Left::rows: from row to row; Left::lanes: from k to k
  const float* b;             // 16 columns
  std::ptrdiff_t b_step;      // from k to k
  std::int64_t eights, ones;  // steps: eight at a time, then single ones
  const char* ahead[2];       // fetched into the second-level cache, a line every eight steps
  std::ptrdiff_t ahead_step[2];
};

// clang-format off

// asm takes thirty operands and the sums are twenty-four, so pointers have fixed registers:
// a rax, a3 rdx, a_step rcx, b rsi, b_step r12, steps left rdi, ahead r8 r9, ahead_step r10 r11.
#define LATHE_POINTERS                                                            \
  "mov (%[o]), %%rax\n\t"    "mov 8(%[o]), %%rdx\n\t"   "mov 16(%[o]), %%rcx\n\t" \
  "mov 24(%[o]), %%rsi\n\t"  "mov 32(%[o]), %%r12\n\t"  "mov 40(%[o]), %%rdi\n\t" \
  "mov 56(%[o]), %%r8\n\t"   "mov 64(%[o]), %%r9\n\t"                             \
  "mov 72(%[o]), %%r10\n\t"  "mov 80(%[o]), %%r11\n\t"

// One row of a step: an element of a times 16 columns of b.
#define LATHE_ROW(i, address, r)                  \
  "vbroadcastss " address ", %%" r "\n\t"         \
  "vfmadd231ps %%ymm12, %%" r ", %[lo" #i "]\n\t" \
  "vfmadd231ps %%ymm13, %%" r ", %[hi" #i "]\n\t"

#define LATHE_ROWS                                                                                  \
  LATHE_ROW(0, "4*lathe_k(%%rax)", "ymm14")         LATHE_ROW(1, "4*lathe_k(%%rax,%%rcx)", "ymm15") \
  LATHE_ROW(2, "4*lathe_k(%%rax,%%rcx,2)", "ymm14") LATHE_ROW(3, "4*lathe_k(%%rdx)", "ymm15")       \
  LATHE_ROW(4, "4*lathe_k(%%rdx,%%rcx)", "ymm14")   LATHE_ROW(5, "4*lathe_k(%%rdx,%%rcx,2)", "ymm15")
#define LATHE_ROWS_ON(count) "add $4*" count ", %%rax\n\t" "add $4*" count ", %%rdx\n\t"

// Lanes of a every 32 bytes, or every a_step bytes.
#define LATHE_PACKED                                                                          \
  LATHE_ROW(0, "32*lathe_k(%%rax)", "ymm14")    LATHE_ROW(1, "32*lathe_k+4(%%rax)", "ymm15")  \
  LATHE_ROW(2, "32*lathe_k+8(%%rax)", "ymm14")  LATHE_ROW(3, "32*lathe_k+12(%%rax)", "ymm15") \
  LATHE_ROW(4, "32*lathe_k+16(%%rax)", "ymm14") LATHE_ROW(5, "32*lathe_k+20(%%rax)", "ymm15")
#define LATHE_PACKED_ON(count) "add $32*" count ", %%rax\n\t"

#define LATHE_LANES                                                     \
  LATHE_ROW(0, "(%%rax)", "ymm14")   LATHE_ROW(1, "4(%%rax)", "ymm15")  \
  LATHE_ROW(2, "8(%%rax)", "ymm14")  LATHE_ROW(3, "12(%%rax)", "ymm15") \
  LATHE_ROW(4, "16(%%rax)", "ymm14") LATHE_ROW(5, "20(%%rax)", "ymm15") \
  "add %%rcx, %%rax\n\t"
#define LATHE_LANES_ON(count) ""

// b every 64 bytes, or every b_step bytes.
#define LATHE_PANEL                        \
  "vmovups 64*lathe_k(%%rsi), %%ymm12\n\t" \
  "vmovups 64*lathe_k+32(%%rsi), %%ymm13\n\t"
#define LATHE_PANEL_ON(count) "add $64*" count ", %%rsi\n\t"

#define LATHE_STRIDED              \
  "vmovups (%%rsi), %%ymm12\n\t"   \
  "vmovups 32(%%rsi), %%ymm13\n\t" \
  "add %%r12, %%rsi\n\t"
#define LATHE_STRIDED_ON(count) ""

#define LATHE_FETCH                              \
  "prefetcht1 (%%r8)\n\t"  "add %%r10, %%r8\n\t" \
  "prefetcht1 (%%r9)\n\t"  "add %%r11, %%r9\n\t"

#define LATHE_STEPS(left, right, fetch)          \
  LATHE_POINTERS                                 \
  "test %%rdi, %%rdi\n\t"                        \
  "jz 2f\n\t"                                    \
  ".p2align 5\n"                                 \
  "1:\n\t"                                       \
  fetch                                          \
  ".set lathe_k, 0\n\t"                          \
  ".rept 8\n\t"                                  \
  LATHE_##right LATHE_##left                     \
  ".set lathe_k, lathe_k+1\n\t"                  \
  ".endr\n\t"                                    \
  LATHE_##right##_ON("8") LATHE_##left##_ON("8") \
  "sub $1, %%rdi\n\t"                            \
  "jnz 1b\n"                                     \
  "2:\n\t"                                       \
  "mov 48(%[o]), %%rdi\n\t"                      \
  "test %%rdi, %%rdi\n\t"                        \
  "jz 4f\n\t"                                    \
  ".set lathe_k, 0\n"                            \
  "3:\n\t"                                       \
  LATHE_##right LATHE_##left                     \
  LATHE_##right##_ON("1") LATHE_##left##_ON("1") \
  "sub $1, %%rdi\n\t"                            \
  "jnz 3b\n"                                     \
  "4:"

#define LATHE_SUM(i) [lo##i] "+x"(s[i][0].lo), [hi##i] "+x"(s[i][0].hi)
#define LATHE_ASM(text)                                                                    \
  asm(text                                                                                 \
      : LATHE_SUM(0), LATHE_SUM(1), LATHE_SUM(2), LATHE_SUM(3), LATHE_SUM(4), LATHE_SUM(5) \
      : [o] "r"(&o), "m"(o), "m"(*all_of(o.a)), "m"(*all_of(o.b))                          \
      : "xmm12", "xmm13", "xmm14", "xmm15", "rax", "rdx", "rcx", "rsi", "rdi", "r8", "r9", \
        "r10", "r11", "r12", "cc")

// clang-format on

/// Says to the compiler that the assembly reads there, however much. (A clobber of all memory would
/// keep the sums on the stack; clang takes no array without a length.)
inline auto all_of(const float* p) { return reinterpret_cast<const float(*)[1 << 28]>(p); }

/// Takes all steps: s[i] = fma(a of row i, b, s[i]) for each k ascending. kFetch: o.ahead is
/// fetched; then lanes lie every 32 bytes and b every 64, whatever o says.
template <Left kLeft, bool kFetch>
inline void take_steps(const SixRows& o, F32x16 (&s)[6][1]) {
  static_assert(offsetof(SixRows, ahead_step) == 72 && sizeof(SixRows) == 88);
  constexpr bool kLanesOf = kLeft == Left::lanes;
  if constexpr (kFetch) {
    if constexpr (kLanesOf) LATHE_ASM(LATHE_STEPS(PACKED, PANEL, LATHE_FETCH));
    if constexpr (!kLanesOf) LATHE_ASM(LATHE_STEPS(ROWS, PANEL, LATHE_FETCH));
  } else if (kLanesOf && o.a_step == 32 && o.b_step == 64) {
    LATHE_ASM(LATHE_STEPS(PACKED, PANEL, ""));
  } else if (kLanesOf) {
    LATHE_ASM(LATHE_STEPS(LANES, STRIDED, ""));
  } else if (o.b_step == 64) {
    LATHE_ASM(LATHE_STEPS(ROWS, PANEL, ""));
  } else {
    LATHE_ASM(LATHE_STEPS(ROWS, STRIDED, ""));
  }
}

#undef LATHE_ASM
#undef LATHE_SUM
#undef LATHE_STEPS
#undef LATHE_FETCH
#undef LATHE_STRIDED_ON
#undef LATHE_STRIDED
#undef LATHE_PANEL_ON
#undef LATHE_PANEL
#undef LATHE_PACKED_ON
#undef LATHE_PACKED
#undef LATHE_LANES_ON
#undef LATHE_LANES
#undef LATHE_ROWS_ON
#undef LATHE_ROWS
#undef LATHE_ROW
#undef LATHE_POINTERS

#endif

}  // namespace lathe::kernels::LATHE_ISA
