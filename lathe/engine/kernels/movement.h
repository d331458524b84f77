// Data as it is, elsewhere or in another type: copy, cast, fill. Broadcasting and strides as in
// elementwise.h.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// out = x, bit for bit. Shapes: any strides on both sides (contiguous from transposed, a slice of
/// a concatenation, ...). Dtypes: equal. The two may not overlap.
struct CopyArgs {
  View x, out;
};
LATHE_KERNEL(copy, CopyArgs)

/// out = x in the type of out; every pair of types. To a narrower float: rounded once to nearest
/// even. To an integer: towards zero, held inside the range of the type, NaN gives 0. To boolean:
/// x != 0 (NaN gives 1).
struct CastArgs {
  View x, out;
};
LATHE_KERNEL(cast, CastArgs)

/// out = value, converted as cast does.
struct FillArgs {
  View out;
  double value = 0.0;
};
LATHE_KERNEL(fill, FillArgs)

}  // namespace lathe::kernels
