// Attribute structs that several op files share.
#pragma once

#include <cstdint>

#include "lathe/base/fields.h"
#include "lathe/engine/tensor/dtype.h"

namespace lathe::ops {

struct AxisAttrs {
  int axis = -1;
  bool keep = false;
  void fields(Fields& f) {
    f("axis", axis);
    f("keep", keep);
  }
};

struct DTypeAttrs {
  DType dtype = DType::f32;
  void fields(Fields& f) {
    std::string text(name(dtype));
    f("dtype", text);
  }
};

struct FactorAttrs {
  double factor = 1;
  void fields(Fields& f) { f("factor", factor); }
};

struct DimsAttrs {
  std::int64_t dims[6] = {};
  int rank = 0;
  void fields(Fields& f) {
    std::vector<std::int64_t> list(dims, dims + rank);
    f("dims", list);
  }
};

}  // namespace lathe::ops
