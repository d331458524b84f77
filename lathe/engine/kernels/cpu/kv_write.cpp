#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/cpu/vec.h"
#include "lathe/engine/kernels/kv_element.h"

namespace lathe::kernels::LATHE_ISA {
namespace {

using namespace attention_detail;

constexpr Index kTokens = 32;  // of a task

/// Sixteen elements of a key or value, zeros behind its end.
F32x16 read16(const View& x, Index from, Index d) {
  const Index left = x.dims[3] - d;
  const bool half = x.dtype == DType::bf16;
  if (left >= 16) return half ? load(x.as<bf16_t>() + from + d) : load(x.as<float>() + from + d);
  const int n = static_cast<int>(left);
  return half ? load_first(x.as<bf16_t>() + from + d, n) : load_first(x.as<float>() + from + d, n);
}

/// A token's key or value of one head, widened.
struct Row {
  alignas(64) float x[kMaxHeadSize + 16];
  Index size;

  Row(const View& v, Index from) : size(v.dims[3]) {
    for (Index d = 0; d < size; d += 16) store(x + d, read16(v, from, d));
  }
};

/// The scale of elements [d, d + 32), and those elements as bytes.
float quantise(const Row& row, Index d, std::int8_t* q) {
  const Index end = smaller(row.size, d + kKvScaled);
  F32x16 largest = zero();
  bool finite = true;
  for (Index e = d; e < end; e += 16) {
    const F32x16 x = abs(load(row.x + e));
    largest = max(largest, x);
    finite = finite && less_mask(x, splat(__builtin_inff())) == 0xFFFF;
  }
  const float top = finite ? max_lane(largest) : __builtin_inff();
  const KvScale s = kv_scale(__builtin_bit_cast(std::uint32_t, top));
  alignas(64) float rounded[kKvScaled];
  for (Index e = d; e < end; e += 16)
    store(rounded + e - d, round_even(load(row.x + e) * splat(s.factor)));
  for (Index e = d; e < end; ++e)
    q[e - d] = s.factor == 0.0f ? std::int8_t{0} : static_cast<std::int8_t>(rounded[e - d]);
  return s.scale;
}

void put_key(KvType type, const KvLayout& y, const Row& row, Index j, std::byte* head) {
  if (type == KvType::f32) {
    float* to = reinterpret_cast<float*>(head) + kv_key_index(type, y, j, 0);
    for (Index d = 0; d < row.size; ++d) to[d * 16] = row.x[d];
  } else if (type == KvType::bf16) {
    auto* to = reinterpret_cast<bf16_t*>(head) + kv_key_index(type, y, j, 0);
    for (Index d = 0; d < row.size; ++d) to[d / 2 * 32 + d % 2] = to_bf16(row.x[d]);
    if (row.size % 2 != 0) to[row.size / 2 * 32 + 1] = {0};
  } else {
    auto* to = reinterpret_cast<std::int8_t*>(head) + kv_key_index(type, y, j, 0);
    auto* scales = reinterpret_cast<float*>(head + y.key_scales);
    std::int8_t q[kKvScaled];
    for (Index d = 0; d < row.size; d += kKvScaled) {
      scales[kv_key_scale(y, j, d / kKvScaled)] = quantise(row, d, q);
      for (Index e = d; e < smaller(row.size, d + kKvScaled); ++e) to[e * 16] = q[e - d];
    }
  }
}

void put_value(KvType type, const KvLayout& y, const Row& row, Index j, std::byte* head) {
  if (type == KvType::f32) {
    auto* to = reinterpret_cast<float*>(head + y.values);
    for (Index d = 0; d < row.size; ++d) to[kv_value_index(type, j, d)] = row.x[d];
  } else if (type == KvType::bf16) {
    auto* to = reinterpret_cast<bf16_t*>(head + y.values);
    for (Index d = 0; d < row.size; ++d) to[kv_value_index(type, j, d)] = to_bf16(row.x[d]);
  } else {
    auto* to = reinterpret_cast<std::int8_t*>(head + y.values);
    auto* scales = reinterpret_cast<float*>(head + y.value_scales);
    std::int8_t q[kKvScaled];
    for (Index d = 0; d < row.size; d += kKvScaled) {
      scales[kv_value_scale(j, d / kKvScaled)] = quantise(row, d, q);
      for (Index e = d; e < smaller(row.size, d + kKvScaled); ++e)
        to[kv_value_index(type, j, e)] = q[e - d];
    }
  }
}

}  // namespace

void kv_write(const KvWriteArgs& args) noexcept {
  const KvPages& to = args.to;
  const KvLayout y = kv_layout(to.type, args.k.dims[3]);
  const Index tokens = args.k.dims[1];
  parallel_for(args.k.dims[0] * tokens, kTokens, [&](Index first, Index last) {
    for (Index x = first; x < last; ++x) {
      const Index b = x / tokens, t = x % tokens, key = kv_first(to, b) + t;
      if (key < 0) continue;
      for (Index g = 0; g < args.k.dims[2]; ++g) {
        std::byte* head = kv_head(to, y, b, key, g);
        put_key(to.type, y, Row(args.k, at(args.k, b, t, g)), key % kKvPage, head);
        put_value(to.type, y, Row(args.v, at(args.v, b, t, g)), key % kKvPage, head);
      }
    }
  });
}

}  // namespace lathe::kernels::LATHE_ISA
