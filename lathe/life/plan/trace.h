// A run on meta tensors: shape rules only, so FLOPs, bytes and peak memory are exact before
// anything is allocated.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "lathe/engine/ops/op.h"

namespace lathe::plan {

struct OpTotals {
  std::int64_t calls = 0;
  double flops = 0;
  double bytes = 0;  // read and written
  bool matmul = false;
};

struct Trace {
  std::map<std::string, OpTotals> ops;
  double flops = 0;
  std::int64_t peak_bytes = 0;       // of tensors, above what lived before
  std::int64_t workspace_bytes = 0;  // the largest kernel workspace
};

/// Counts what `work` does. It must use meta tensors only. Thread rule: one trace at a time.
Trace trace(const std::function<void()>& work);

}  // namespace lathe::plan
