// Sixteen 32-bit integers, and the dot products of bytes that add to them.
#pragma once

#include <cstring>

#include "lathe/engine/kernels/cpu/vec.h"

namespace lathe::kernels::LATHE_ISA {

#if defined(__AVX512F__)

struct I32x16 {
  __m512i v;
};
inline I32x16 splat_i32(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
inline I32x16 load_i32(const void* p) { return {_mm512_loadu_si512(p)}; }
inline void store_i32(void* p, I32x16 x) { _mm512_storeu_si512(p, x.v); }
inline I32x16 operator+(I32x16 a, I32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
inline I32x16 operator-(I32x16 a, I32x16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
inline I32x16 operator&(I32x16 a, I32x16 b) { return {_mm512_and_si512(a.v, b.v)}; }
inline I32x16 operator|(I32x16 a, I32x16 b) { return {_mm512_or_si512(a.v, b.v)}; }
inline I32x16 operator^(I32x16 a, I32x16 b) { return {_mm512_xor_si512(a.v, b.v)}; }
inline I32x16 operator>>(I32x16 a, int n) { return {(__m512i)((__v16su)a.v >> n)}; }  // zeros in
inline I32x16 operator<<(I32x16 a, int n) { return {(__m512i)((__v16su)a.v << n)}; }
inline I32x16 max_i32(I32x16 a, I32x16 b) { return {_mm512_max_epi32(a.v, b.v)}; }
inline F32x16 to_float(I32x16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
/// To the nearest integer, ties to even.
inline I32x16 to_int(F32x16 a) { return {_mm512_cvtps_epi32(a.v)}; }
inline I32x16 bits_of(F32x16 a) { return {_mm512_castps_si512(a.v)}; }
/// The low byte of each lane, in order.
inline void store_bytes(void* p, I32x16 a) {
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}
/// Sixteen signed bytes of a table by the low four bits of every byte of a (high bits must be 0).
inline I32x16 look_up16(const std::int8_t* table, I32x16 a) {
  const __m128i t = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(t), a.v)};
}
/// Byte n of each lane four times.
inline I32x16 repeat_byte(I32x16 a, int n) {
  const __m512i first = _mm512_set4_epi32(0x0C0C0C0C, 0x08080808, 0x04040404, 0);
  return {_mm512_shuffle_epi8(a.v, _mm512_add_epi8(first, _mm512_set1_epi8(static_cast<char>(n))))};
}
/// Byte n of each lane as a number from 0 to 255.
inline I32x16 byte_of(I32x16 a, int n) {
  const __m512i first = _mm512_set4_epi32(-244, -248, -252, -256);  // 12, 8, 4, 0; then zeros
  return {_mm512_shuffle_epi8(a.v, _mm512_add_epi32(first, _mm512_set1_epi32(n)))};
}
inline I32x16 min_u8(I32x16 a, I32x16 b) { return {_mm512_min_epu8(a.v, b.v)}; }
/// Products of bytes in pairs, added, in 16 bits: a unsigned, b signed. Must not exceed 32,767.
inline I32x16 multiply_pairs(I32x16 a, I32x16 b) { return {_mm512_maddubs_epi16(a.v, b.v)}; }
inline I32x16 add_i16(I32x16 a, I32x16 b) { return {_mm512_add_epi16(a.v, b.v)}; }
/// Pairs of 16-bit numbers, added.
inline I32x16 widen_pairs(I32x16 a) { return {_mm512_madd_epi16(a.v, _mm512_set1_epi16(1))}; }
/// Products of signed 16-bit numbers in pairs, added.
inline I32x16 multiply_words(I32x16 a, I32x16 b) { return {_mm512_madd_epi16(a.v, b.v)}; }
/// Bytes 0 and 2 of each lane, or 1 and 3, as signed 16-bit numbers.
inline I32x16 even_bytes(I32x16 a) { return {_mm512_srai_epi16(_mm512_slli_epi16(a.v, 8), 8)}; }
inline I32x16 odd_bytes(I32x16 a) { return {_mm512_srai_epi16(a.v, 8)}; }
inline I32x16 abs_i8(I32x16 a) { return {_mm512_abs_epi8(a.v)}; }
/// b with the signs of a: -b where a < 0.
inline I32x16 with_signs(I32x16 b, I32x16 a) {
  return {_mm512_mask_sub_epi8(b.v, _mm512_movepi8_mask(a.v), _mm512_setzero_si512(), b.v)};
}
/// a, computed here: g++ would turn a chain of integer additions into a tree, and keep on the stack
/// all products that it joins.
inline I32x16 here(I32x16 a) {
  asm("" : "+v"(a.v));
  return a;
}

#else

struct I32x16 {
  __m256i lo, hi;
};
inline I32x16 splat_i32(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
inline I32x16 load_i32(const void* p) {
  const auto* q = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}
inline void store_i32(void* p, I32x16 x) {
  auto* q = static_cast<__m256i*>(p);
  _mm256_storeu_si256(q, x.lo);
  _mm256_storeu_si256(q + 1, x.hi);
}
inline I32x16 operator+(I32x16 a, I32x16 b) {
  return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
inline I32x16 operator-(I32x16 a, I32x16 b) {
  return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)};
}
inline I32x16 operator&(I32x16 a, I32x16 b) {
  return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)};
}
inline I32x16 operator|(I32x16 a, I32x16 b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
inline I32x16 operator^(I32x16 a, I32x16 b) {
  return {_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)};
}
inline I32x16 operator>>(I32x16 a, int n) {
  return {(__m256i)((__v8su)a.lo >> n), (__m256i)((__v8su)a.hi >> n)};
}
inline I32x16 operator<<(I32x16 a, int n) {
  return {(__m256i)((__v8su)a.lo << n), (__m256i)((__v8su)a.hi << n)};
}
inline I32x16 max_i32(I32x16 a, I32x16 b) {
  return {_mm256_max_epi32(a.lo, b.lo), _mm256_max_epi32(a.hi, b.hi)};
}
inline F32x16 to_float(I32x16 a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
inline I32x16 to_int(F32x16 a) { return {_mm256_cvtps_epi32(a.lo), _mm256_cvtps_epi32(a.hi)}; }
inline I32x16 bits_of(F32x16 a) { return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)}; }
inline void store_bytes(void* p, I32x16 a) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.lo, a.hi), 0xD8);
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm_packs_epi16(_mm256_castsi256_si128(words),
                                                             _mm256_extracti128_si256(words, 1)));
}
inline I32x16 look_up16(const std::int8_t* table, I32x16 a) {
  const __m256i t =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return {_mm256_shuffle_epi8(t, a.lo), _mm256_shuffle_epi8(t, a.hi)};
}
inline I32x16 repeat_byte(I32x16 a, int n) {
  const __m256i first = _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C, 0, 0x04040404,
                                          0x08080808, 0x0C0C0C0C);
  const __m256i places = _mm256_add_epi8(first, _mm256_set1_epi8(static_cast<char>(n)));
  return {_mm256_shuffle_epi8(a.lo, places), _mm256_shuffle_epi8(a.hi, places)};
}
inline I32x16 byte_of(I32x16 a, int n) {
  const __m256i first = _mm256_setr_epi32(-256, -252, -248, -244, -256, -252, -248, -244);
  const __m256i places = _mm256_add_epi32(first, _mm256_set1_epi32(n));
  return {_mm256_shuffle_epi8(a.lo, places), _mm256_shuffle_epi8(a.hi, places)};
}
inline I32x16 min_u8(I32x16 a, I32x16 b) {
  return {_mm256_min_epu8(a.lo, b.lo), _mm256_min_epu8(a.hi, b.hi)};
}
inline I32x16 multiply_pairs(I32x16 a, I32x16 b) {
  return {_mm256_maddubs_epi16(a.lo, b.lo), _mm256_maddubs_epi16(a.hi, b.hi)};
}
inline I32x16 add_i16(I32x16 a, I32x16 b) {
  return {_mm256_add_epi16(a.lo, b.lo), _mm256_add_epi16(a.hi, b.hi)};
}
inline I32x16 widen_pairs(I32x16 a) {
  const __m256i one = _mm256_set1_epi16(1);
  return {_mm256_madd_epi16(a.lo, one), _mm256_madd_epi16(a.hi, one)};
}
inline I32x16 multiply_words(I32x16 a, I32x16 b) {
  return {_mm256_madd_epi16(a.lo, b.lo), _mm256_madd_epi16(a.hi, b.hi)};
}
inline I32x16 even_bytes(I32x16 a) {
  return {_mm256_srai_epi16(_mm256_slli_epi16(a.lo, 8), 8),
          _mm256_srai_epi16(_mm256_slli_epi16(a.hi, 8), 8)};
}
inline I32x16 odd_bytes(I32x16 a) {
  return {_mm256_srai_epi16(a.lo, 8), _mm256_srai_epi16(a.hi, 8)};
}
inline I32x16 abs_i8(I32x16 a) { return {_mm256_abs_epi8(a.lo), _mm256_abs_epi8(a.hi)}; }
inline I32x16 with_signs(I32x16 b, I32x16 a) {
  return {_mm256_sign_epi8(b.lo, a.lo), _mm256_sign_epi8(b.hi, a.hi)};
}
inline I32x16 here(I32x16 a) {
  asm("" : "+x"(a.lo), "+x"(a.hi));
  return a;
}

#endif

/// Four bytes at p in every lane.
inline I32x16 splat_bytes(const std::int8_t* p) {
  std::int32_t x;
  std::memcpy(&x, p, 4);
  return splat_i32(x);
}

inline std::int32_t add_lanes_i32(I32x16 x) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_epi32(x.v);
#else
  const __m256i s = _mm256_add_epi32(x.lo, x.hi);
  __m128i t = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
  t = _mm_add_epi32(t, _mm_shuffle_epi32(t, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(t, _mm_shuffle_epi32(t, 0xB1)));
#endif
}

inline std::int32_t max_lane_i32(I32x16 x) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_epi32(x.v);
#else
  const __m256i s = _mm256_max_epi32(x.lo, x.hi);
  __m128i t = _mm_max_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
  t = _mm_max_epi32(t, _mm_shuffle_epi32(t, 0x4E));
  return _mm_cvtsi128_si32(_mm_max_epi32(t, _mm_shuffle_epi32(t, 0xB1)));
#endif
}

}  // namespace lathe::kernels::LATHE_ISA
