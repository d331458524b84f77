// Writes bf16 matrices at twelve bits an element (kernels/bf16_codes.h). Products read them in
// matmul_codes.h.
#include "lathe/engine/kernels/bf16_codes.h"

#if !defined(__AVX512F__)

#include <algorithm>
#include <array>
#include <atomic>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/cpu/matmul_pack.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

constexpr int kRows = Bf16Codes::kRows;
constexpr int kSpan = 16;  // columns that are turned together

/// The rows of one record; beyond `rows` the last one is read again, and nobody reads its codes.
struct Rows {
  const std::uint16_t* data;
  std::ptrdiff_t row;  // elements
  int rows;

  const std::uint16_t* at(int r) const { return data + std::min(r, rows - 1) * row; }
};

/// The sixteen upper bytes that most elements have.
std::array<std::uint8_t, Bf16Codes::kTable> choose_table(const Rows& w, std::int64_t columns) {
  std::uint32_t counts[4][256] = {};  // in turn, or equal ones wait for each other
  for (int r = 0; r < w.rows; ++r) {
    const std::uint16_t* x = w.at(r);
    std::int64_t k = 0;
    for (; k + 4 <= columns; k += 4)
      for (int i = 0; i < 4; ++i) ++counts[i][x[k + i] >> 8];
    for (; k < columns; ++k) ++counts[0][x[k] >> 8];
  }
  std::array<std::uint8_t, 256> bytes;
  for (int i = 0; i < 256; ++i) {
    bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i);
    counts[0][i] += counts[1][i] + counts[2][i] + counts[3][i];
  }
  std::partial_sort(bytes.begin(), bytes.begin() + Bf16Codes::kTable, bytes.end(),
                    [&](int a, int b) {
                      return counts[0][a] != counts[0][b] ? counts[0][a] > counts[0][b] : a < b;
                    });
  std::array<std::uint8_t, Bf16Codes::kTable> table;
  std::copy_n(bytes.begin(), table.size(), table.begin());
  return table;
}

/// Columns k .. k + 15 of 32 rows: pair[q][j] holds columns k + 2j and k + 2j + 1 of rows 8q ..
/// 8q + 7, one pair a word.
void turn(const Rows& w, std::int64_t k, std::int64_t columns, __m256 (&pair)[4][8]) {
  alignas(32) std::uint16_t span[8][kSpan] = {};
  for (int q = 0; q < 4; ++q) {
    const bool lie_ready = k + kSpan <= columns && 8 * q + 8 <= w.rows;
    const std::uint16_t* from = w.at(8 * q) + k;
    std::ptrdiff_t row = w.row;
    if (!lie_ready) {
      for (int r = 0; r < 8; ++r)
        std::memcpy(span[r], w.at(8 * q + r) + k,
                    static_cast<std::size_t>(std::min<std::int64_t>(kSpan, columns - k)) * 2);
      from = span[0], row = kSpan;
    }
    transpose_8x8(reinterpret_cast<const char*>(from), row * 2, pair[q]);
  }
}

struct Encoder {
  std::uint8_t* record;
  Rows rows;
  std::int64_t columns;
  std::array<std::uint8_t, Bf16Codes::kTable> table;
  std::uint32_t exceptions = 0;

  /// False when there are too many exceptions.
  bool run() {
    const Bf16Codes codes{columns};
    table = choose_table(rows, columns);
    std::uint8_t* step = record + codes.steps_at();
    for (std::int64_t k = 0; k < columns; k += kSpan) {
      __m256 pair[4][8];
      turn(rows, k, columns, pair);
      const std::int64_t end = std::min<std::int64_t>(columns, k + kSpan);
      for (std::int64_t at = k; at < end; ++at, step += Bf16Codes::kStep)
        if (!write_step(pair, at, step)) return false;
    }
    std::memcpy(record, table.data(), table.size());
    std::memcpy(record + Bf16Codes::kTable, &exceptions, 4);
    return true;
  }

  bool write_step(const __m256 (&pair)[4][8], std::int64_t k, std::uint8_t* step) {
    const auto at = static_cast<std::size_t>(k % kSpan);
    __m256i x[4];  // one element a word
    for (int q = 0; q < 4; ++q) {
      const __m256i both = _mm256_castps_si256(pair[q][at / 2]);
      x[q] = at % 2 == 0 ? _mm256_and_si256(both, _mm256_set1_epi32(0xFFFF))
                         : _mm256_srli_epi32(both, 16);
    }
    const __m256i a = _mm256_packus_epi32(x[0], x[1]), b = _mm256_packus_epi32(x[2], x[3]);
    const __m256i byte = _mm256_set1_epi16(0xFF);
    const __m256i low = _mm256_packus_epi16(_mm256_and_si256(a, byte), _mm256_and_si256(b, byte));
    const __m256i high = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
    __m256i code = _mm256_setzero_si256(), found = _mm256_setzero_si256();
    for (std::size_t i = 0; i < table.size(); ++i) {
      const __m256i same = _mm256_cmpeq_epi8(high, _mm256_set1_epi8(static_cast<char>(table[i])));
      found = _mm256_or_si256(found, same);
      code = _mm256_or_si256(code, _mm256_and_si256(same, _mm256_set1_epi8(static_cast<char>(i))));
    }
    const __m128i codes = _mm_or_si128(_mm256_castsi256_si128(code),
                                       _mm_slli_epi16(_mm256_extracti128_si256(code, 1), 4));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(step), low);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(step + kRows), codes);
    return _mm256_movemask_epi8(found) == -1 || except(k, ~_mm256_movemask_epi8(found));
  }

  /// Notes the rows whose places are set in `missing`.
  bool except(std::int64_t k, int missing) {
    for (int r = 0; r < rows.rows; ++r) {
      if ((missing >> Bf16Codes::place_of(r) & 1) == 0) continue;
      if (exceptions == Bf16Codes{columns}.most_exceptions()) return false;
      const Bf16Codes::Exception e{static_cast<std::uint32_t>(k), static_cast<std::uint16_t>(r),
                                   rows.at(r)[k]};
      std::memcpy(record + Bf16Codes::kExceptions + exceptions++ * sizeof e, &e, sizeof e);
    }
    return true;
  }
};

}  // namespace

bool encode_bf16(const View& w, void* records) noexcept {
  const std::int64_t rows = w.dims[0], columns = w.dims[1];
  std::atomic<bool> fits = true;
  parallel_for(Bf16Codes::records(rows), 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end && fits.load(std::memory_order_relaxed); ++i) {
      const int count = static_cast<int>(std::min<std::int64_t>(kRows, rows - i * kRows));
      Encoder one{static_cast<std::uint8_t*>(records) + i * Bf16Codes{columns}.record_bytes(),
                  {w.as<std::uint16_t>() + i * kRows * w.strides[0], w.strides[0], count},
                  columns,
                  {}};
      if (!one.run()) fits = false;
    }
  });
  return fits;
}

}  // namespace lathe::kernels::LATHE_ISA

#endif
