// One token times sixteen rows of quantised weights: vectors are multiplied as they are taken out
// of the rows, and no panel is written. The same bits as the panels, since sums of a group are
// exact and the chain over groups is the same.
#pragma once

#include "lathe/engine/kernels/cpu/quant_unpack.h"

namespace lathe::kernels::LATHE_ISA {

/// Adds up the products of a token with the rows that unpack() takes apart (a sink).
template <QuantType kType, typename Kind>
class OneToken {
 public:
  explicit OneToken(const Tokens& x) : x_(x) {}

  void start(int slot, std::int64_t b, int g) {
    running_[slot] = start_of<Kind>(x_.start, b * kGroups + g);
  }
  void put(int slot, std::int64_t b, int step, I32x16 bytes) {
    const I32x16 token = splat_bytes(x_.q + (b * kSteps + step) * 4);
    running_[slot] = add_products<Kind>(running_[slot], bytes, token);
  }
  void finish(int slot, std::int64_t b, int g) {
    const I32x16 start = start_of<Kind>(x_.start, b * kGroups + g);
    store_i32(sums_[g], whole_sum<Kind>(running_[slot], start));
  }
  void scale(std::int64_t, int g, F32x16 x) { store(scales_[g], x); }
  void minimum(std::int64_t, int g, F32x16 x) { store(minima_[g], x); }

  void end(std::int64_t b) {
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) {
      const std::int64_t at = b * kGroups + g;
      const F32x16 scale = load(scales_[g]) * splat(x_.scale[at * Kind::group / 32]);
      total_ = fma(scale, to_float(load_i32(sums_[g])), total_);
      if constexpr (Kind::minimum) total_ = fma(load(minima_[g]), splat(x_.total[at]), total_);
    }
  }

  F32x16 total() const { return total_; }

 private:
  static constexpr int kSteps = block_elements(kType) / 4;
  static constexpr int kGroups = block_elements(kType) / scale_group(kType);

  const Tokens& x_;
  I32x16 running_[2];
  alignas(64) std::int32_t sums_[kGroups][16];
  alignas(64) float scales_[kGroups][16];
  alignas(64) float minima_[kGroups][16];
  F32x16 total_ = zero();
};

/// The products of one token with sixteen rows.
template <QuantType kType, typename Kind>
inline F32x16 multiply_one_token(const RowsOfBlocks& u, const Tokens& x) {
  OneToken<kType, Kind> sums(x);
  unpack<kType>(u, sums);
  return sums.total();
}

}  // namespace lathe::kernels::LATHE_ISA
