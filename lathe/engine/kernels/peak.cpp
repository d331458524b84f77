// Chooses the instruction set of the int8 peak.
#include "lathe/engine/kernels/peak.h"

namespace lathe::kernels {

void peak_int8(const PeakArgs& args) noexcept {
  switch (isa()) {
    case Isa::reference:
      return reference::peak_int8(args);
    case Isa::avx2:
      return avx2::peak_int8(args);
    case Isa::avx2_vnni:
      return avx2_vnni::peak_int8(args);
    case Isa::avx512:
      return avx512::peak_int8(args);
    default:
      return avx512_vnni::peak_int8(args);
  }
}

}  // namespace lathe::kernels
