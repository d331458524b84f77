// b as bf16 at twelve bits an element (kernels/bf16_codes.h): brought back to f32 in registers, for
// few rows of a, or into panels. AVX2 only.
#pragma once

#include "lathe/engine/kernels/bf16_codes.h"
#include "lathe/engine/kernels/cpu/matmul_pack.h"

namespace lathe::kernels::LATHE_ISA {
#if defined(__AVX512F__)
constexpr bool kCodes = false;  // bf16 is multiplied or widened as it lies
#else
constexpr bool kCodes = true;
#endif
}  // namespace lathe::kernels::LATHE_ISA

#if !defined(__AVX512F__)

namespace lathe::kernels::LATHE_ISA {

/// 32 columns of b at one k: two vectors.
struct CodedStep {
  F32x16 at[2];
};

class CodedColumns {
 public:
  /// Columns [column, column + 32) of b, `column` a multiple of 32.
  CodedColumns(const void* records, std::int64_t count_k, std::int64_t column) {
    const Bf16Codes codes{count_k};
    const char* record =
        static_cast<const char*>(records) + column / Bf16Codes::kRows * codes.record_bytes();
    steps_ = record + codes.steps_at();
    table_ = _mm256_broadcastsi128_si256(load_16(record));
    std::uint32_t exceptions;
    std::memcpy(&exceptions, record + Bf16Codes::kTable, 4);
    first_ = record + Bf16Codes::kExceptions;
    end_ = first_ + exceptions * sizeof(Bf16Codes::Exception);
  }

  /// use(k, step) for k in [begin, end).
  template <typename Use>
  void each(std::int64_t begin, std::int64_t end, const Use& use) const {
    const char* exception = first_;
    while (exception != end_ && at(exception).column < begin) exception += sizeof(Exception);
    const char* p = steps_ + begin * Bf16Codes::kStep;
    for (std::int64_t k = begin; k < end; ++k, p += Bf16Codes::kStep) {
      const std::int64_t next = exception == end_ ? end : at(exception).column;
      for (const std::int64_t stop = std::min(next, end); k < stop; ++k, p += Bf16Codes::kStep)
        use(k, step(p));
      if (k == end) return;
      alignas(64) float values[Bf16Codes::kRows];
      const CodedStep coded = step(p);
      store(values, coded.at[0]);
      store(values + kLanes, coded.at[1]);
      for (; exception != end_ && at(exception).column == k; exception += sizeof(Exception))
        values[at(exception).row] = to_f32(bf16_t{at(exception).bits});
      use(k, {{load(values), load(values + kLanes)}});
    }
  }

 private:
  using Exception = Bf16Codes::Exception;
  static constexpr std::ptrdiff_t kAhead = 1024;  // bytes fetched ahead

  static __m128i load_16(const char* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }

  static Exception at(const char* p) {
    Exception e;
    std::memcpy(&e, p, sizeof e);
    return e;
  }

  CodedStep step(const char* p) const {
    _mm_prefetch(p + kAhead, _MM_HINT_T0);
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i codes = _mm256_broadcastsi128_si256(load_16(p + Bf16Codes::kRows));
    const __m256i shifted = _mm256_srlv_epi64(codes, _mm256_setr_epi64x(0, 0, 4, 4));
    const __m256i high =
        _mm256_shuffle_epi8(table_, _mm256_and_si256(shifted, _mm256_set1_epi8(15)));
    return {{widened(_mm256_unpacklo_epi8(low, high)), widened(_mm256_unpackhi_epi8(low, high))}};
  }

  static F32x16 widened(__m256i x) {
    const __m256i zero = _mm256_setzero_si256();
    return {_mm256_castsi256_ps(_mm256_unpacklo_epi16(zero, x)),
            _mm256_castsi256_ps(_mm256_unpackhi_epi16(zero, x))};
  }

  const char* steps_;
  __m256i table_;
  const char *first_, *end_;  // exceptions
};

/// Sums of R rows by 32 columns over all of k; t gives a, the start and the destination.
template <int R>
inline void run_coded_rows(const CodedColumns& b, const Tile& t) {
  Sums<R, 2> s;
  start(t, s);
  b.each(0, t.words, [&](std::int64_t k, const CodedStep& step) {
#pragma GCC unroll 4
    for (int i = 0; i < R; ++i) {
      const F32x16 row = splat(t.a[i * t.a_row + k]);
      for (int v : {0, 1}) s.at[i][v] = add_product(row, step.at[v], s.at[i][v]);
    }
  });
  finish(t, s);
}

/// Panels [words][16] of up to 32 columns, for k from `begin` on; `panel` words lie between them.
inline void unpack_codes(const CodedColumns& b, std::int64_t begin, std::int64_t words,
                         std::ptrdiff_t panel, Word* to) {
  b.each(begin, begin + words, [&](std::int64_t k, const CodedStep& step) {
    auto* row = reinterpret_cast<float*>(to + (k - begin) * kLanes);
    store(row, step.at[0]);
    store(row + panel, step.at[1]);
  });
}

}  // namespace lathe::kernels::LATHE_ISA

#endif
