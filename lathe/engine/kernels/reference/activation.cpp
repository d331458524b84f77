#include "lathe/engine/kernels/activation.h"

#include "lathe/engine/kernels/activation_math.h"
#include "lathe/engine/kernels/reference/canonical.h"

namespace lathe::kernels::reference {
namespace {

/// body(row, column, formula) over every element of x.
template <typename Body>
void each_element(const View& x, Activation kind, Body body) {
  with_activation(kind, [&](auto f) {
    for (std::int64_t r = 0; r < rows_of(x); ++r)
      for (std::int64_t i = 0; i < columns_of(x); ++i) body(r, i, f);
  });
}

template <typename T>
void forward(const ActivationArgs& a) {
  each_element(a.x, a.kind, [&](std::int64_t r, std::int64_t i, auto f) {
    Row<T>(a.y, r).set(i, f.value(Row<T>(a.x, r)[i]));
  });
}

template <typename T>
void backward(const ActivationBackwardArgs& a) {
  each_element(a.x, a.kind, [&](std::int64_t r, std::int64_t i, auto f) {
    Row<T>(a.dx, r).set(i, Row<T>(a.dy, r)[i] * f.slope(Row<T>(a.x, r)[i]));
  });
}

template <typename T>
void gated_forward(const GatedArgs& a) {
  each_element(a.gate, a.kind, [&](std::int64_t r, std::int64_t i, auto f) {
    Row<T>(a.y, r).set(i, f.value(Row<T>(a.gate, r)[i]) * Row<T>(a.up, r)[i]);
  });
}

template <typename T>
void gated_gradients(const GatedBackwardArgs& a) {
  each_element(a.gate, a.kind, [&](std::int64_t r, std::int64_t i, auto f) {
    const T gate = Row<T>(a.gate, r)[i], up = Row<T>(a.up, r)[i], dy = Row<T>(a.dy, r)[i];
    Row<T>(a.dgate, r).set(i, (dy * up) * f.slope(gate));
    Row<T>(a.dup, r).set(i, dy * f.value(gate));
  });
}

}  // namespace

void activation(const ActivationArgs& args) noexcept {
  args.x.dtype == DType::f64 ? forward<double>(args) : forward<float>(args);
}

void activation_backward(const ActivationBackwardArgs& args) noexcept {
  args.x.dtype == DType::f64 ? backward<double>(args) : backward<float>(args);
}

void gated(const GatedArgs& args) noexcept {
  args.gate.dtype == DType::f64 ? gated_forward<double>(args) : gated_forward<float>(args);
}

void gated_backward(const GatedBackwardArgs& args) noexcept {
  args.gate.dtype == DType::f64 ? gated_gradients<double>(args) : gated_gradients<float>(args);
}

}  // namespace lathe::kernels::reference
