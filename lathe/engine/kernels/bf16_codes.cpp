#include "lathe/engine/kernels/bf16_codes.h"

#include <cstring>

#include "lathe/engine/kernels/isa.h"

namespace lathe::kernels {

bool reads_bf16_codes() noexcept { return isa() == Isa::avx2 || isa() == Isa::avx2_vnni; }

bool encode_bf16(const View& w, void* records) noexcept {
  return reads_bf16_codes() && avx2::encode_bf16(w, records);
}

std::uint16_t decode_bf16(const void* records, std::int64_t columns, std::int64_t row,
                          std::int64_t column) noexcept {
  const Bf16Codes codes{columns};
  const auto* record =
      static_cast<const std::uint8_t*>(records) + row / Bf16Codes::kRows * codes.record_bytes();
  const auto in_record = static_cast<int>(row % Bf16Codes::kRows);
  std::uint32_t exceptions;
  std::memcpy(&exceptions, record + Bf16Codes::kTable, 4);
  for (std::uint32_t i = 0; i < exceptions; ++i) {
    Bf16Codes::Exception e;
    std::memcpy(&e, record + Bf16Codes::kExceptions + i * sizeof e, sizeof e);
    if (e.column == column && e.row == in_record) return e.bits;
  }
  const std::uint8_t* step = record + codes.steps_at() + column * Bf16Codes::kStep;
  const int place = Bf16Codes::place_of(in_record);
  const int code = step[Bf16Codes::kRows + place % 16] >> (place / 16 * 4) & 15;
  return static_cast<std::uint16_t>(record[code] << 8 | step[place]);
}

}  // namespace lathe::kernels
