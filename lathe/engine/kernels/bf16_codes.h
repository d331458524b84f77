// Matrices of bf16 at twelve bits an element, without loss (docs/decisions/0020). What bounds the
// decoding of a text is the memory that weights are read from, and the upper bytes of bf16 weights,
// sign and exponent, take few values: sixteen of them, chosen for each 32 rows, stand for nearly
// all.
#pragma once

#include <cstdint>

#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// A record holds 32 rows: a table of sixteen upper bytes; how many exceptions there are (u32, at
/// byte 16); the exceptions, by column, whose upper byte is not in the table; then, from
/// steps_at() on, 48 bytes for each column: 32 lower bytes and 32 four-bit places in the table.
/// Rows lie in them in the order of place_of(), so that two unpacks bring eight adjacent ones into
/// a register.
struct Bf16Codes {
  static constexpr int kRows = 32;
  static constexpr int kStep = 48;   // bytes of a column
  static constexpr int kTable = 16;  // entries, of a byte

  struct Exception {
    std::uint32_t column;
    std::uint16_t row;  // in the record
    std::uint16_t bits;
  };
  static constexpr int kExceptions = kTable + 16;  // where they start

  std::int64_t columns = 0;

  static constexpr std::int64_t records(std::int64_t rows) { return (rows + kRows - 1) / kRows; }
  constexpr std::int64_t most_exceptions() const { return columns / 32 + 1; }
  constexpr std::int64_t steps_at() const {
    return (kExceptions + most_exceptions() * 8 + 63) / 64 * 64;
  }
  constexpr std::int64_t record_bytes() const {
    return (steps_at() + columns * kStep + 63) / 64 * 64;
  }

  /// Where a row's lower byte lies in a step; its code is in byte 32 + place % 16, in the upper
  /// four bits from place 16 on.
  static constexpr int place_of(int row) { return row / 4 % 2 * 16 + row / 8 * 4 + row % 4; }
};

/// Whether products read codes here: where bf16 is widened eight at a time (AVX2).
bool reads_bf16_codes() noexcept;

/// Writes the records of w. False, and records are garbage, where a record has more exceptions than
/// most_exceptions() (weights unlike any that were trained). Only where reads_bf16_codes().
/// Shapes: w [N,K], rows dense; records: Bf16Codes::records(N) of record_bytes(). Dtypes: w bf16.
bool encode_bf16(const View& w, void* records) noexcept;

/// The bits of an element that encode_bf16 wrote.
std::uint16_t decode_bf16(const void* records, std::int64_t columns, std::int64_t row,
                          std::int64_t column) noexcept;

namespace avx2 {
bool encode_bf16(const View& w, void* records) noexcept;
}  // namespace avx2

}  // namespace lathe::kernels
