#include "lathe/engine/kernels/statistics.h"

#include <bit>

#include "lathe/engine/kernels/cpu/lanes.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

constexpr std::int64_t kBlock = 4096;
constexpr std::int64_t kWave = 1024;  // blocks whose results lie on the stack until they are added

/// total = total + block(begin, n) over blocks of a contiguous view, ascending; the blocks are
/// computed on all threads.
template <typename T, typename Block>
T over_blocks(std::int64_t count, Block block) {
  T partial[kWave];
  T total = 0;
  for (std::int64_t wave = 0; wave < count; wave += kWave * kBlock) {
    const std::int64_t blocks = std::min(kWave, (count - wave + kBlock - 1) / kBlock);
    parallel_for(blocks, 4, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t b = first; b < last; ++b) {
        const std::int64_t begin = wave + b * kBlock;
        partial[b] = block(begin, std::min(kBlock, count - begin));
      }
    });
    for (std::int64_t b = 0; b < blocks; ++b) total += partial[b];
  }
  return total;
}

inline bool ranks_above(float a, float b) { return a > b || (a != a && b == b); }

std::int64_t first_largest(const Row& x, std::int64_t columns) {
  const float top = lane_max(columns, [&](std::int64_t i, auto n) { return x.at(i, n); });
  const F32x16 tops = splat(top);
  for (std::int64_t i = 0; i < columns; i += 16) {
    const int n = static_cast<int>(std::min<std::int64_t>(16, columns - i));
    const F32x16 v = n == 16 ? x.at(i, Full{}) : x.at(i, n);
    unsigned hits = top != top ? nan_mask(v) : equal_mask(v, tops);
    hits &= (1u << n) - 1;
    if (hits != 0) return i + std::countr_zero(hits);
  }
  return -1;  // no columns
}

/// The K best so far, sorted; most sixteens hold nothing above the last of them.
struct Best {
  float* values;
  std::int32_t* indices;
  std::int64_t wanted, held = 0;

  bool admits(float x) const { return held < wanted || ranks_above(x, values[wanted - 1]); }
  void insert(float x, std::int64_t index) {
    std::int64_t k = held < wanted ? held++ : wanted - 1;
    for (; k > 0 && ranks_above(x, values[k - 1]); --k)
      values[k] = values[k - 1], indices[k] = indices[k - 1];
    values[k] = x, indices[k] = static_cast<std::int32_t>(index);
  }
};

void top_of_row(const TopKArgs& a, std::int64_t r) {
  const std::int64_t columns = columns_of(a.x), wanted = columns_of(a.values);
  if (wanted == 0) return;
  Best best{a.values.as<float>() + r * wanted, a.indices.as<std::int32_t>() + r * wanted, wanted};
  const Row x(a.x, r);
  for (std::int64_t i = 0; i < columns; i += 16) {
    const int n = static_cast<int>(std::min<std::int64_t>(16, columns - i));
    const F32x16 v = n == 16 ? x.at(i, Full{}) : x.at(i, n);
    unsigned hits = (1u << n) - 1;
    if (best.held == wanted) hits &= less_mask(splat(best.values[wanted - 1]), v) | nan_mask(v);
    for (; hits != 0; hits &= hits - 1) {
      const std::int64_t index = i + std::countr_zero(hits);
      const float value = x.one(index);
      if (best.admits(value)) best.insert(value, index);
    }
  }
  for (std::int64_t k = best.held; k < wanted; ++k)
    best.values[k] = -std::numeric_limits<float>::infinity(), best.indices[k] = -1;
}

}  // namespace

void sum_of_squares(const SumOfSquaresArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::sum_of_squares(args);
  View x = args.x;
  const std::int64_t count = x.count();
  x.rank = 1;
  const Row row(x);
  *args.result = over_blocks<double>(count, [&](std::int64_t begin, std::int64_t n) {
    return static_cast<double>(lane_sum(n, [&](F32x16 s, std::int64_t i, auto some) {
      const F32x16 v = row.at(begin + i, some);
      return fma(v, v, s);
    }));
  });
}

void count_nonfinite(const CountNonfiniteArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::count_nonfinite(args);
  View x = args.x;
  const std::int64_t count = x.count();
  x.rank = 1;
  const Row row(x);
  *args.result = over_blocks<std::int64_t>(count, [&](std::int64_t begin, std::int64_t n) {
    std::int64_t found = 0;
    each16(n, [&](std::int64_t i, auto some) {
      const F32x16 v = row.at(begin + i, some);  // lanes past the end are zeros
      found += std::popcount(nan_mask(v - v));
    });
    return found;
  });
}

void argmax(const ArgmaxArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::argmax(args);
  const std::int64_t columns = columns_of(args.x);
  parallel_for(rows_of(args.x), row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      args.index.as<std::int32_t>()[r] =
          static_cast<std::int32_t>(first_largest(Row(args.x, r), columns));
  });
}

void top_k(const TopKArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::top_k(args);
  parallel_for(rows_of(args.x), row_grain(columns_of(args.x)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t r = begin; r < end; ++r) top_of_row(args, r);
               });
}

}  // namespace lathe::kernels::LATHE_ISA
