#include "lathe/engine/kernels/row_places.h"

#include <cstring>

namespace lathe::kernels {

void place_rows(const PlaceRowsArgs& a) noexcept {
  const auto* ids = a.ids.as<std::int32_t>();
  auto* at = a.at.as<std::int32_t>();
  auto* place = a.place.as<std::int32_t>();
  auto* row_ids = a.row_ids.as<std::int32_t>();
  auto& used = *a.used.as<std::int32_t>();
  const std::int64_t vocab = a.place.dims[0], most = a.row_ids.dims[0], width = a.sums.dims[1];
  for (std::int64_t n = 0; n < a.ids.dims[0]; ++n) {
    const std::int32_t id = ids[n];
    at[n] = id >= 0 && id < vocab ? place[id] : -1;
    if (at[n] >= 0 || id < 0 || id >= vocab || used >= most) continue;
    row_ids[used] = id;
    at[n] = place[id] = used;
    std::memset(a.sums.as<float>() + used * width, 0,
                static_cast<std::size_t>(width) * sizeof(float));
    ++used;
  }
}

void forget_rows(const ForgetRowsArgs& a) noexcept {
  auto& used = *a.used.as<std::int32_t>();
  for (std::int32_t row = 0; row < used; ++row)
    a.place.as<std::int32_t>()[a.row_ids.as<std::int32_t>()[row]] = -1;
  used = 0;
}

}  // namespace lathe::kernels
