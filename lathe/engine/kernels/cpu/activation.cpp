#include "lathe/engine/kernels/activation.h"

#include "lathe/engine/kernels/activation_math.h"
#include "lathe/engine/kernels/cpu/lanes.h"

namespace lathe::kernels::LATHE_ISA {

void activation(const ActivationArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::activation(args);
  with_activation(args.kind, [&](auto f) {
    parallel_pieces(rows_of(args.x), columns_of(args.x),
                    [&](std::int64_t r, std::int64_t begin, std::int64_t end) {
                      const Row x(args.x, r), y(args.y, r);
                      each16(end - begin, [&](std::int64_t i, auto n) {
                        y.set(begin + i, f.value(x.at(begin + i, n)), n);
                      });
                    });
  });
}

void activation_backward(const ActivationBackwardArgs& args) noexcept {
  if (args.x.dtype == DType::f64) return reference::activation_backward(args);
  with_activation(args.kind, [&](auto f) {
    parallel_pieces(rows_of(args.x), columns_of(args.x),
                    [&](std::int64_t r, std::int64_t begin, std::int64_t end) {
                      const Row x(args.x, r), dy(args.dy, r), dx(args.dx, r);
                      each16(end - begin, [&](std::int64_t i, auto n) {
                        dx.set(begin + i, dy.at(begin + i, n) * f.slope(x.at(begin + i, n)), n);
                      });
                    });
  });
}

void gated(const GatedArgs& args) noexcept {
  if (args.gate.dtype == DType::f64) return reference::gated(args);
  with_activation(args.kind, [&](auto f) {
    parallel_pieces(rows_of(args.gate), columns_of(args.gate),
                    [&](std::int64_t r, std::int64_t begin, std::int64_t end) {
                      const Row gate(args.gate, r), up(args.up, r), y(args.y, r);
                      each16(end - begin, [&](std::int64_t j, auto n) {
                        const std::int64_t i = begin + j;
                        y.set(i, f.value(gate.at(i, n)) * up.at(i, n), n);
                      });
                    });
  });
}

void gated_backward(const GatedBackwardArgs& args) noexcept {
  if (args.gate.dtype == DType::f64) return reference::gated_backward(args);
  with_activation(args.kind, [&](auto f) {
    parallel_pieces(rows_of(args.gate), columns_of(args.gate),
                    [&](std::int64_t r, std::int64_t begin, std::int64_t end) {
                      const Row gate(args.gate, r), up(args.up, r), dy(args.dy, r);
                      const Row dgate(args.dgate, r), dup(args.dup, r);
                      each16(end - begin, [&](std::int64_t j, auto n) {
                        const std::int64_t i = begin + j;
                        const F32x16 g = gate.at(i, n), d = dy.at(i, n), u = up.at(i, n);
                        dgate.set(i, (d * u) * f.slope(g), n);
                        dup.set(i, d * f.value(g), n);
                      });
                    });
  });
}

}  // namespace lathe::kernels::LATHE_ISA
