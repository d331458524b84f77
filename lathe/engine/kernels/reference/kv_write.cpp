#include <cmath>

#include "lathe/engine/kernels/kv_element.h"
#include "lathe/engine/kernels/reference/attention.h"

namespace lathe::kernels::reference {
namespace {

using namespace attention_parts;
using namespace attention_detail;

/// One key or value of a head: element d of x goes to elements[at(d)], the scale of its 32
/// elements to scales[scale_at(block)].
template <typename At, typename ScaleAt>
void put(KvType type, const View& x, Index from, std::byte* elements, std::byte* scales, At at,
         ScaleAt scale_at) {
  const Index size = x.dims[3];
  const auto value = [&](Index d) { return read<float>(x, from + d); };
  if (type == KvType::f32)
    for (Index d = 0; d < size; ++d) reinterpret_cast<float*>(elements)[at(d)] = value(d);
  if (type == KvType::bf16)
    for (Index d = 0; d < size; ++d) reinterpret_cast<bf16_t*>(elements)[at(d)] = to_bf16(value(d));
  if (type != KvType::q8_0) return;
  for (Index d = 0; d < size; d += kKvScaled) {
    const Index end = smaller(size, d + kKvScaled);
    std::uint32_t largest = 0;
    for (Index e = d; e < end; ++e)
      largest = std::max(largest, std::bit_cast<std::uint32_t>(value(e)) & 0x7FFFFFFFu);
    const KvScale s = kv_scale(largest);
    reinterpret_cast<float*>(scales)[scale_at(d / kKvScaled)] = s.scale;
    for (Index e = d; e < end; ++e)
      reinterpret_cast<std::int8_t*>(elements)[at(e)] =
          s.factor == 0.0f ? std::int8_t{0}
                           : static_cast<std::int8_t>(std::nearbyint(value(e) * s.factor));
  }
}

}  // namespace

void kv_write(const KvWriteArgs& args) noexcept {
  const KvPages& to = args.to;
  const KvLayout y = kv_layout(to.type, args.k.dims[3]);
  for (Index b = 0; b < args.k.dims[0]; ++b) {
    for (Index t = larger(0, -kv_first(to, b)); t < args.k.dims[1]; ++t)
      for (Index g = 0; g < args.k.dims[2]; ++g) {
        const Index key = kv_first(to, b) + t, j = key % kKvPage;
        std::byte* head = kv_head(to, y, b, key, g);
        put(
            to.type, args.k, at(args.k, b, t, g), head, head + y.key_scales,
            [&](Index d) { return kv_key_index(to.type, y, j, d); },
            [&](Index block) { return kv_key_scale(y, j, block); });
        if (to.type == KvType::bf16 && y.size % 2 != 0)  // the other half of the last pair
          reinterpret_cast<bf16_t*>(head)[kv_key_index(to.type, y, j, y.size)] = {0};
        put(
            to.type, args.v, at(args.v, b, t, g), head + y.values, head + y.value_scales,
            [&](Index d) { return kv_value_index(to.type, j, d); },
            [&](Index block) { return kv_value_scale(j, block); });
      }
  }
}

}  // namespace lathe::kernels::reference
