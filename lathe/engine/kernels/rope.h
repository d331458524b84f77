// Rotary position embedding.
#pragma once

#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/kernels/math.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels {

/// Rotates pairs of every head by the angle of the token's position; y may be x.
/// Pair i of R/2 is (x_i, x_{i + R/2}), or (x_2i, x_{2i+1}) when interleaved; with c and s from
/// row p of the tables: y_a = x_a c - x_b s, y_b = x_b c + x_a s. Elements from R on are copied.
/// inverse rotates by minus the angle, which is the gradient.
/// Shapes: x, y [B,T,H,D], cosine, sine [P, R/2], R <= D, any strides but 1 in the last dimension;
/// positions [B,T], any strides. Positions outside [0, P) are taken as the nearest one inside (the
/// shape rule refuses them); P = 0 copies.
/// Dtypes: x, y f32 or bf16 each for itself, tables f32; or all f64; positions i32.
/// Order: y_a = fma(x_a, c, -(x_b s)), y_b = fma(x_b, c, x_a s), s negated first when inverse;
/// rounded once. Source: Su et al. 2021, arXiv 2104.09864, eq. 34.
struct RopeArgs {
  View x, cosine, sine, positions, y;
  bool interleaved = false;
  bool inverse = false;
};
LATHE_KERNEL(rope, RopeArgs)

LATHE_INLINE std::int32_t position_of(const RopeArgs& a, std::int64_t b, std::int64_t t) {
  return a.positions.as<std::int32_t>()[b * a.positions.strides[0] + t * a.positions.strides[1]];
}

}  // namespace lathe::kernels
