#include "lathe/life/plan/trace.h"

#include <algorithm>

namespace lathe::plan {
namespace {

class TraceRecorder : public ops::Recorder {
 public:
  explicit TraceRecorder(Trace& trace) : trace_(trace) {}

  void after(const ops::OpDef& def, ops::Inputs in, ops::Inputs out,
             const ops::Attrs& attrs) override {
    if (def.is(ops::kView)) return;
    OpTotals& totals = trace_.ops[def.name];
    const double flops = ops::flops_of(def, in, out, attrs);
    ++totals.calls;
    totals.flops += flops;
    totals.matmul = def.is(ops::kMatmulLike);
    trace_.flops += flops;
    totals.bytes += ops::bytes_of(def, in, out, attrs);
    if (def.workspace != nullptr)
      trace_.workspace_bytes = std::max(trace_.workspace_bytes, workspace(def, in, out, attrs));
  }

 private:
  static std::int64_t workspace(const ops::OpDef& def, ops::Inputs in, ops::Inputs out,
                                const ops::Attrs& attrs) {
    ops::KernelCall call{};
    call.attrs = &attrs;
    for (std::size_t i = 0; i < in.size(); ++i)
      if (in[i].defined()) call.in[i] = in[i].view();
    for (std::size_t i = 0; i < out.size(); ++i) call.out[i] = out[i].view();
    return def.workspace(call);
  }

  Trace& trace_;
};

}  // namespace

Trace trace(const std::function<void()>& work) {
  Trace result;
  const std::int64_t before = memory_stats(Device::meta).in_use;
  reset_peak(Device::meta);
  TraceRecorder recorder(result);
  {
    const ops::RecorderScope scope(&recorder);
    work();
  }
  result.peak_bytes = memory_stats(Device::meta).peak - before;
  return result;
}

}  // namespace lathe::plan
