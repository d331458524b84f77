// One token times sixteen rows of quantised weights: vectors are multiplied as they are taken out
// of the rows, and no panel is written. The same bits as the panels, since sums of a group are
// exact and the chain over groups is the same.
#pragma once

#include "lathe/engine/kernels/cpu/quant_unpack.h"

namespace lathe::kernels::LATHE_ISA {

/// What the groups of a block of sixteen rows come to.
template <QuantType kType>
struct GroupsOfBlock {
  static constexpr int kGroups = block_elements(kType) / scale_group(kType);
  alignas(64) std::int32_t sums[kGroups][16];
  alignas(64) float scales[kGroups][16];
  alignas(64) float minima[kGroups][16];
};

/// Adds up the products of a token with the rows that unpack() takes apart (a sink). What it holds
/// itself has no address that depends on a group, so that it lives in registers.
template <QuantType kType, typename Kind>
class OneToken {
 public:
  OneToken(const Tokens& x, GroupsOfBlock<kType>& block) : x_(x), block_(block) {}

  void start(int slot, std::int64_t b, int g) {
    running_[slot] = start_of<Kind>(x_.start, b * kGroups + g);
  }
  void put(int slot, std::int64_t b, int step, I32x16 bytes) {
    const I32x16 token = splat_bytes(x_.q + (b * kSteps + step) * 4);
    running_[slot] = add_products<Kind>(running_[slot], bytes, token);
  }
  void finish(int slot, std::int64_t b, int g) {
    const I32x16 start = start_of<Kind>(x_.start, b * kGroups + g);
    const I32x16 sum = whole_sum<Kind>(running_[slot], start);
    kInOrder ? add(b, g, sum) : store_i32(block_.sums[g], sum);
  }
  void scale(std::int64_t, int g, F32x16 x) { store(block_.scales[g], x); }
  void minimum(std::int64_t, int g, F32x16 x) { store(block_.minima[g], x); }

  void end(std::int64_t b) {
    if constexpr (kInOrder) return;
#pragma GCC unroll 2
    for (int g = 0; g < kGroups; ++g) add(b, g, load_i32(block_.sums[g]));
  }

  F32x16 total() const { return total_; }

 private:
  static constexpr int kSteps = block_elements(kType) / 4;
  static constexpr int kGroups = GroupsOfBlock<kType>::kGroups;
  /// Whether groups are complete in the order in which they are added.
  static constexpr bool kInOrder =
      kGroups == 1 || kType == QuantType::q4_k || kType == QuantType::q5_k;

  /// Group g of block b has this sum.
  void add(std::int64_t b, int g, I32x16 sum) {
    const std::int64_t at = b * kGroups + g;
    const F32x16 scale = load(block_.scales[g]) * splat(x_.scale[at * Kind::group / 32]);
    total_ = fma(scale, to_float(sum), total_);
    if constexpr (Kind::minimum) total_ = fma(load(block_.minima[g]), splat(x_.total[at]), total_);
  }

  const Tokens x_;
  GroupsOfBlock<kType>& block_;
  I32x16 running_[2];
  F32x16 total_ = zero();
};

/// The products of one token with sixteen rows. Flat: a sink that is passed by address is kept in
/// memory, a store for each step.
template <QuantType kType, typename Kind>
[[gnu::flatten]] inline F32x16 multiply_one_token(const RowsOfBlocks& u, const Tokens& x) {
  GroupsOfBlock<kType> block;
  OneToken<kType, Kind> sums(x, block);
  unpack<kType>(u, sums);
  return sums.total();
}

}  // namespace lathe::kernels::LATHE_ISA
