#include <cstdlib>

#include "lathe/base/parallel.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/ops/infer.h"
#include "lathe/engine/ops/op.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::ops {
namespace defs {
#define LATHE_OP(op) extern const OpDef op;
#include "lathe/engine/ops/op_list.inc"
#undef LATHE_OP
}  // namespace defs

namespace {

// A null entry hides everything below it.
thread_local std::vector<Recorder*> recorders;
thread_local bool dry = false;

template <typename Visit>
void each_recorder(Visit&& visit) {
  // By index: a recorder may itself run ops.
  std::size_t first = recorders.size();
  while (first > 0 && recorders[first - 1] != nullptr) --first;
  for (std::size_t i = first; i < recorders.size(); ++i) visit(*recorders[i]);
}

Device device_of(Inputs in) {
  if (dry) return Device::meta;
  for (const Tensor& t : in)
    if (t.defined() && t.device() == Device::meta) return Device::meta;
  return Device::cpu;
}

/// Workspace that is kept between calls, so that the steady state allocates nothing.
void* workspace_of(std::int64_t bytes) {
  thread_local Tensor kept;
  if (bytes == 0) return nullptr;
  if (!kept.defined() || kept.count() < bytes) {
    kept = Tensor();
    kept = Tensor::empty({bytes}, DType::u8);
  }
  return kept.bytes_begin();
}

void run_kernel(const OpDef& def, Inputs in, Inputs out, const Attrs& attrs) {
  KernelCall call{};
  call.attrs = &attrs;
  for (std::size_t i = 0; i < in.size(); ++i)
    if (in[i].defined()) call.in[i] = in[i].view();
  for (std::size_t i = 0; i < out.size(); ++i) call.out[i] = out[i].view();
  const kernels::IsaScope scope(isa_of(def, call));
  call.workspace_bytes = def.workspace ? def.workspace(call) : 0;
  call.workspace = workspace_of(call.workspace_bytes);
  def.cpu(call);
}

/// Inputs in the layout that the op asks for; copies where needed.
class LaidOut {
 public:
  LaidOut(const OpDef& def, Inputs in) : in_(in) {
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (fits(in[i], def.layout)) continue;
      if (static_cast<int>(i) < def.writes)
        fail(ErrorCode::kInvalidArgument, "{}: the tensor that is written must be contiguous",
             def.name);
      if (copies_.empty()) copies_.assign(in.begin(), in.end());
      copies_[i] = contiguous(in[i]);
    }
    if (!copies_.empty()) in_ = copies_;
  }
  Inputs get() const { return in_; }

 private:
  std::vector<Tensor> copies_;
  Inputs in_;
};

void check_arguments(const OpDef& def, Inputs in) {
  LATHE_CHECK(static_cast<int>(in.size()) <= kMaxInputs);
  for (const Tensor& t : in) {
    if (t.defined() && t.device() == Device::cpu && t.count() > 0 && !t.has_data())
      fail(ErrorCode::kInternal, "{}: an input {} was not saved for the gradient", def.name,
           describe(t));
  }
}

}  // namespace

RecorderScope::RecorderScope(Recorder* recorder) { recorders.push_back(recorder); }
RecorderScope::~RecorderScope() { recorders.pop_back(); }

DryScope::DryScope() : outer_(dry) { dry = true; }
DryScope::~DryScope() { dry = outer_; }

bool is_recorded() { return !recorders.empty() && recorders.back() != nullptr; }

bool fits(const Tensor& t, Layout layout) {
  if (layout == Layout::any || !t.defined()) return true;
  if (layout == Layout::unit_last) return t.rank() == 0 || t.dim(-1) <= 1 || t.stride(-1) == 1;
  return t.contiguous();
}

kernels::Isa isa_of(const OpDef& def, const KernelCall& call) {
  for (std::size_t i = 0; i < call.in.size(); ++i)
    if (call.in[i].dtype == DType::f64 && (def.facts >> i & 1) == 0) return kernels::Isa::reference;
  return kernels::isa();
}

namespace {

/// Runs the op on the CPU: its kernel, or its composite where it has none.
Outputs run_on_cpu(const OpDef& def, Inputs in, const Attrs& attrs,
                   const std::vector<TensorSpec>& specs) {
  const RecorderScope pause(nullptr);
  if (def.cpu == nullptr) {
    if (def.composite == nullptr)
      fail(ErrorCode::kUnsupported, "{}: no kernel and no composite on this device", def.name);
    return def.composite(in, attrs);
  }
  Outputs out;
  for (const TensorSpec& spec : specs) out.push_back(Tensor::empty(spec.shape, spec.dtype));
  const LaidOut laid_out(def, in);
  run_kernel(def, laid_out.get(), out, attrs);
  return out;
}

}  // namespace

Outputs apply(const OpDef& def, Inputs in, const Attrs& attrs) {
  each_recorder([&](Recorder& r) { r.before(def, in, attrs); });
  Outputs out;
  if (def.view != nullptr) {
    out.push_back(def.view(in[0], attrs));
  } else {
    check_arguments(def, in);
    std::vector<TensorSpec> specs;
    def.infer(in, attrs, specs);
    if (device_of(in) == Device::cpu) {
      if (def.check != nullptr) def.check(in);
      out = run_on_cpu(def, in, attrs, specs);
    } else {
      for (const TensorSpec& spec : specs)
        out.push_back(Tensor::empty(spec.shape, spec.dtype, Device::meta));
    }
  }
  each_recorder([&](Recorder& r) { r.after(def, in, out, attrs); });
  return out;
}

Tensor apply_one(const OpDef& def, Inputs in, const Attrs& attrs) {
  return apply(def, in, attrs)[0];
}

std::span<const OpDef* const> all_ops() {
  static const OpDef* const kOps[] = {
#define LATHE_OP(op) &defs::op,
#include "lathe/engine/ops/op_list.inc"
#undef LATHE_OP
  };
  return kOps;
}

double flops_of(const OpDef& def, Inputs in, Inputs out, const Attrs& attrs) {
  if (def.flops != nullptr) return def.flops(in, out, attrs);
  if (def.is(kView)) return 0;
  return out.empty() ? static_cast<double>(in[0].count()) : static_cast<double>(out[0].count());
}

double bytes_of(const OpDef& def, Inputs in, Inputs out, const Attrs& attrs) {
  if (def.bytes != nullptr) return def.bytes(in, out, attrs);
  return def.is(kView) ? 0 : sum_of_bytes(in) + sum_of_bytes(out);
}

}  // namespace lathe::ops
