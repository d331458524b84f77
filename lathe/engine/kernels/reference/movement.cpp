#include "lathe/engine/kernels/movement.h"

#include <cstring>

#include "lathe/engine/kernels/reference/strided.h"

namespace lathe::kernels::reference {

void copy(const CopyArgs& args) noexcept {
  const std::size_t size = size_of(args.out.dtype);
  const auto at = [&](const View& v, std::int64_t k) {
    return v.as<char>() + offset_in(v, args.out, k) * static_cast<std::int64_t>(size);
  };
  for (std::int64_t k = 0; k < args.out.count(); ++k)
    std::memcpy(at(args.out, k), at(args.x, k), size);
}

void cast(const CastArgs& args) noexcept {
  for (std::int64_t k = 0; k < args.out.count(); ++k)
    write(args.out, offset_in(args.out, args.out, k), read(args.x, offset_in(args.x, args.out, k)));
}

void fill(const FillArgs& args) noexcept {
  for (std::int64_t k = 0; k < args.out.count(); ++k)
    write(args.out, offset_in(args.out, args.out, k), args.value);
}

}  // namespace lathe::kernels::reference
