#include "lathe/engine/ops/recorders.h"

#include <algorithm>

#include "lathe/engine/ops/ops.h"

namespace lathe::ops {

void Profiler::after(const OpDef& def, Inputs in, Inputs out, const Attrs& attrs) {
  Row& row = rows_[def.name];
  ++row.calls;
  row.seconds += clock_.seconds() - started_;
  row.flops += flops_of(def, in, out, attrs);
  if (def.is(kView)) return;
  for (const Tensor& t : in)
    if (t.defined()) row.bytes += static_cast<double>(t.bytes());
  for (const Tensor& t : out) row.bytes += static_cast<double>(t.bytes());
}

std::string Profiler::report() const {
  std::vector<std::pair<std::string, Row>> sorted(rows_.begin(), rows_.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  double total = 0;
  for (const auto& [name, row] : sorted) total += row.seconds;
  std::string text = fmt::format("{:<28}{:>8}{:>10}{:>7}{:>10}{:>9}\n", "op", "calls", "ms",
                                 "share", "GFLOP/s", "GB/s");
  for (const auto& [name, row] : sorted) {
    const double seconds = std::max(row.seconds, 1e-12);
    text += fmt::format("{:<28}{:>8}{:>10.2f}{:>6.1f}%{:>10.1f}{:>9.1f}\n", name, row.calls,
                        1e3 * row.seconds, 100 * row.seconds / std::max(total, 1e-12),
                        row.flops / seconds * 1e-9, row.bytes / seconds * 1e-9);
  }
  return text;
}

void NanCheck::after(const OpDef& def, Inputs in, Inputs out, const Attrs&) {
  const RecorderScope pause(nullptr);
  const auto check = [&](const Tensor& t) {
    if (!t.defined() || !t.has_data() || !is_float(t.dtype()) || t.dtype() == DType::f16) return;
    const double bad = count_nonfinite(contiguous(t)).item();
    if (bad == 0) return;
    std::string inputs;
    for (const Tensor& i : in) inputs += " " + (i.defined() ? describe(i) : std::string("none"));
    fail(ErrorCode::kInternal, "{}: {} elements of {} are NaN or infinite; inputs:{}", def.name,
         bad, describe(t), inputs);
  };
  for (const Tensor& t : out) check(t);
  for (int i = 0; i < def.writes; ++i) check(in[static_cast<std::size_t>(i)]);
}

}  // namespace lathe::ops
