// OpDef: everything that is true of an op, in one place; and the door through which every op goes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lathe/engine/kernels/fused.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/ops/attrs.h"
#include "lathe/engine/tensor/tensor.h"

namespace lathe::ops {

constexpr int kMaxInputs = 8;
constexpr int kMaxOutputs = 4;

using Inputs = std::span<const Tensor>;

/// Up to kMaxOutputs tensors without a heap allocation.
class Outputs {
 public:
  void push_back(Tensor t) { tensors_[static_cast<std::size_t>(size_++)] = std::move(t); }
  int size() const { return size_; }
  Tensor& operator[](int i) { return tensors_[static_cast<std::size_t>(i)]; }
  const Tensor& operator[](int i) const { return tensors_[static_cast<std::size_t>(i)]; }
  operator Inputs() const { return {tensors_.data(), static_cast<std::size_t>(size_)}; }

 private:
  std::array<Tensor, kMaxOutputs> tensors_;
  int size_ = 0;
};

struct TensorSpec {
  Shape shape;
  DType dtype;
};

/// What a kernel sees: plain views. Absent optional inputs are empty views.
struct KernelCall {
  std::array<View, kMaxInputs> in;
  std::array<View, kMaxOutputs> out;
  const Attrs* attrs;
  void* workspace;
  std::int64_t workspace_bytes;
  kernels::RowsBefore before;  // of ops with kRowsBefore
  kernels::TileAfter after;    // of ops with kTileAfter
};

/// What a gradient rule sees. grad[i] is undefined where output i has no gradient; tensors that the
/// op did not ask to save are shells (shape and type only).
struct VjpCall {
  Inputs in;
  Inputs out;
  Inputs grad;
  const Attrs& attrs;
};

/// Where a gradient rule puts its results. Parameters accumulate in f32 from micro-batch to
/// micro-batch: a rule that sums over tokens must go on from the stored value (matmul_acc_,
/// sum_to_acc_, ...) when there is an accumulator, so that any split of a batch gives the same
/// bits.
class GradSink {
 public:
  virtual ~GradSink() = default;
  virtual bool wants(int input) const = 0;
  virtual void add(int input, const Tensor& gradient) = 0;
  /// The f32 accumulator of a leaf, or an undefined tensor.
  virtual Tensor accumulator(int input) const = 0;
  /// Whether a leaf took the gradient of the rows `ids` of it: rows [...,C], ids i32 [...].
  virtual bool add_rows(int /*input*/, const Tensor& /*rows*/, const Tensor& /*ids*/) {
    return false;
  }
};

enum Trait : std::uint32_t {
  kElementwise = 1u << 0,
  kReduction = 1u << 1,
  kView = 1u << 2,     // output aliases input 0
  kInPlace = 1u << 3,  // writes its first `writes` inputs; each may be undefined (not wanted)
  kMatmulLike = 1u << 4,
  kNormalisation = 1u << 5,
  kCheap = 1u << 6,  // output 0 is sooner computed again in the backward pass than kept; all inputs
                     // are saved
  kOverwrites = 1u << 7,    // in place, without reading what it writes
  kRowsBefore = 1u << 8,    // the kernel makes rows of input 0 itself (KernelCall::before)
  kTileAfter = 1u << 9,     // the kernel goes on with tiles of its outputs, which have one shape if
                            // there are several (KernelCall::after)
  kStridedRows = 1u << 10,  // the kernel also takes matrices with any distance between rows
};

enum class Layout : std::uint8_t {
  any,         // the kernel takes any strides
  unit_last,   // last axis unit stride, outer strides free
  contiguous,  // dense row major
};

/// One case for the laws: shapes of the inputs, their domain and the attributes.
struct Sample {
  std::vector<TensorSpec> inputs;
  Attrs attrs;
  double low = -2.0, high = 2.0;       // domain of float inputs (away from kinks and poles)
  std::int64_t integer_below = 3;      // integer inputs are drawn from [0, integer_below)
  std::uint32_t differentiable = ~0u;  // bit i: input i has a gradient
  bool mixed_types = true;             // all float inputs may be bf16 at once
  std::function<void(std::vector<Tensor>&)> adjust;  // constraints that draws cannot meet
};

struct OpDef {
  const char* name = "";
  std::uint32_t traits = 0;
  int writes = 0;  // kInPlace: how many inputs, from the first on
  Layout layout = Layout::contiguous;

  /// Output shapes and types; throws ShapeMismatch or InvalidArgument. Runs on every device.
  void (*infer)(Inputs in, const Attrs& attrs, std::vector<TensorSpec>& out) = nullptr;
  /// Refuses values that no kernel may meet, such as ids outside of a table; before every run, also
  /// of a captured one. Throws InvalidArgument.
  void (*check)(Inputs in) = nullptr;
  /// Views only: the aliasing output.
  Tensor (*view)(const Tensor& x, const Attrs& attrs) = nullptr;
  /// The CPU kernel; f64 calls run with the reference instruction set. Null: the composite runs.
  void (*cpu)(const KernelCall& call) noexcept = nullptr;
  std::int64_t (*workspace)(const KernelCall& call) noexcept = nullptr;
  /// The meaning, in other ops.
  Outputs (*composite)(Inputs in, const Attrs& attrs) = nullptr;
  /// The gradient; null: the composite is differentiated.
  void (*vjp)(const VjpCall& call, GradSink& sink) = nullptr;
  /// Bit i: input i holds facts of a step as f64, whatever the type of the computation.
  std::uint32_t facts = 0;
  /// Bit i: the vjp reads the values of input (output) i. Others are kept as shells.
  std::uint32_t saves_inputs = ~0u;
  std::uint32_t saves_outputs = ~0u;
  /// Bit i: gradients flow back from output i; the others are statistics for the vjp.
  std::uint32_t differentiable_outputs = ~0u;
  /// Floating-point operations of a call (a fused multiply-add counts two); null: one per output
  /// element.
  double (*flops)(Inputs in, Inputs out, const Attrs& attrs) = nullptr;
  /// Bytes that a call reads and writes; null: every input and output once.
  double (*bytes)(Inputs in, Inputs out, const Attrs& attrs) = nullptr;
  std::vector<Sample> (*samples)() = nullptr;

  bool is(Trait trait) const { return (traits & trait) != 0; }
};

/// A hook behind the door. The stack is thread-local; every recorder on it sees every call.
class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual void before(const OpDef&, Inputs, const Attrs&) {}
  virtual void after(const OpDef& def, Inputs in, Inputs out, const Attrs& attrs) = 0;
};

/// Pushes a recorder for a scope; null pauses all of those below (used inside the door).
class RecorderScope {
 public:
  explicit RecorderScope(Recorder* recorder);
  ~RecorderScope();
  RecorderScope(const RecorderScope&) = delete;
  RecorderScope& operator=(const RecorderScope&) = delete;
};

/// While one lives, the door of this thread computes nothing: shape rules run and outputs are meta
/// tensors, also those of real inputs, and nothing is written. For capturing.
class DryScope {
 public:
  DryScope();
  ~DryScope();
  DryScope(const DryScope&) = delete;
  DryScope& operator=(const DryScope&) = delete;

 private:
  bool outer_;
};

/// Whether a recorder sees the calls of this thread.
bool is_recorded();

/// The layout that a kernel may ask for, or a copy would be made.
bool fits(const Tensor& t, Layout layout);

/// The instruction set of a call: f64 exists in the reference loops only.
kernels::Isa isa_of(const OpDef& def, const KernelCall& call);

/// The single door: shape rule, layout, kernel, recorders. Throws what the shape rule throws,
/// Unsupported where the device has no way to run the op, OutOfMemory.
Outputs apply(const OpDef& def, Inputs in, const Attrs& attrs = {});

/// The door for ops with one output.
Tensor apply_one(const OpDef& def, Inputs in, const Attrs& attrs = {});

/// Every op, in the order of op_list.inc.
std::span<const OpDef* const> all_ops();

/// FLOPs of a call by the op's own rule.
double flops_of(const OpDef& def, Inputs in, Inputs out, const Attrs& attrs);
/// Bytes of a call, the same way.
double bytes_of(const OpDef& def, Inputs in, Inputs out, const Attrs& attrs);

}  // namespace lathe::ops
