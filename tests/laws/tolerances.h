// The tolerances of the laws, in one place. Loosening one needs a comment with the measured error.
// Differences are relative where values exceed 1, absolute below.
#pragma once

namespace lathe {

constexpr double kF32Composite = 2e-5;  // two orders of f32 sums over at most 300 elements
constexpr double kF64Composite = 1e-11;
constexpr double kF64Gradient = 1e-7;  // central differences at step 1e-5 lose about 1e-9
constexpr double kF64SecondOrder = 1e-6;

}  // namespace lathe
