#include "lathe/engine/graph/tracer.h"

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::graph {

Tensor Tracer::input(const Tensor& real) {
  if (!real.contiguous() || real.offset() != 0 || real.storage()->bytes() != real.bytes())
    fail(ErrorCode::kInvalidArgument, "capture: expected a whole contiguous input, got {}",
         describe(real));
  const Tensor stand_in = Tensor::empty(real.shape(), real.dtype(), Device::meta);
  const int b = buffer_of(stand_in);
  Buffer& buffer = graph_.buffers[static_cast<std::size_t>(b)];
  buffer.kind = Buffer::Kind::input;
  buffer.storage = real.storage();
  filled_[static_cast<std::size_t>(b)] = true;
  return stand_in;
}

/// The buffer that a tensor lies in. A storage that is new here and has memory is held; one without
/// is planned and must be filled before it is read.
int Tracer::buffer_of(const Tensor& t) {
  const auto [entry, is_new] =
      buffers_.try_emplace(t.storage().get(), static_cast<int>(graph_.buffers.size()));
  if (!is_new) return entry->second;
  Buffer buffer{.bytes = static_cast<std::int64_t>(t.storage()->bytes())};
  const bool outside = t.device() == Device::cpu;
  if (outside) {
    buffer.kind = Buffer::Kind::held;
    buffer.storage = t.storage();
  } else {
    stand_ins_.push_back(t.storage());
  }
  graph_.buffers.push_back(std::move(buffer));
  filled_.push_back(outside);
  return entry->second;
}

int Tracer::add_value(const Tensor& t, int buffer) {
  Value value{.buffer = buffer, .shape = t.shape(), .dtype = t.dtype(), .offset = t.offset()};
  std::vector<std::int64_t> geometry;
  for (int i = 0; i < t.rank(); ++i) {
    value.strides[static_cast<std::size_t>(i)] = t.stride(i);
    geometry.push_back(t.dim(i));
    geometry.push_back(t.stride(i));
  }
  const auto [entry, is_new] =
      values_.try_emplace(ValueKey{buffer, t.offset(), t.dtype(), std::move(geometry)},
                          static_cast<int>(graph_.values.size()));
  if (is_new) graph_.values.push_back(value);
  return entry->second;
}

int Tracer::read(const ops::OpDef& def, const Tensor& t) {
  const int b = buffer_of(t);
  if (!filled_[static_cast<std::size_t>(b)] && t.count() > 0)
    fail(ErrorCode::kUnsupported,
         "capture: {} reads {}, which no op has filled; values that the host computes are inputs",
         def.name, describe(t));
  return add_value(t, b);
}

int Tracer::written(const ops::OpDef& def, const Tensor& t) {
  const int b = buffer_of(t);
  const auto at = static_cast<std::size_t>(b);
  if (!filled_[at] && def.is(ops::kOverwrites) && t.contiguous() &&
      t.bytes() == t.storage()->bytes())
    filled_[at] = true;
  return read(def, t);
}

/// The copy that the door would make for a kernel that asks for another layout; it becomes a node.
Tensor Tracer::laid_out(const ops::OpDef& def, std::size_t input, const Tensor& t) {
  if (!t.defined() || ops::fits(t, def.layout)) return t;
  if (static_cast<int>(input) < def.writes)
    fail(ErrorCode::kInvalidArgument, "{}: the tensor that is written must be contiguous",
         def.name);
  const ops::RecorderScope others(nullptr);
  const ops::RecorderScope only(this);
  return ops::contiguous(t);
}

void Tracer::after(const ops::OpDef& def, ops::Inputs in, ops::Inputs out,
                   const ops::Attrs& attrs) {
  if (def.view != nullptr) return;  // values carry their strides
  if (def.cpu == nullptr)
    fail(ErrorCode::kUnsupported, "capture: {} has no kernel of its own", def.name);
  Node node{.def = &def, .attrs = attrs};
  for (std::size_t i = 0; i < in.size(); ++i) {
    const Tensor t = laid_out(def, i, in[i]);
    if (!t.defined()) {
      node.in.push_back(kAbsent);
    } else {
      node.in.push_back(static_cast<int>(i) < def.writes ? written(def, t) : read(def, t));
    }
  }
  for (const Tensor& t : out) {
    const int b = buffer_of(t);
    filled_[static_cast<std::size_t>(b)] = true;
    node.out.push_back(add_value(t, b));
  }
  graph_.nodes.push_back(std::move(node));
}

Graph Tracer::finish(const std::vector<Tensor>& outputs) {
  static const ops::OpDef kEnd{.name = "an output"};
  for (const Tensor& t : outputs) graph_.outputs.push_back(read(kEnd, t));
  return std::move(graph_);
}

Graph capture(std::span<const Tensor> inputs, const Work& work) {
  Tracer tracer;
  std::vector<Tensor> stand_ins;
  for (const Tensor& real : inputs) stand_ins.push_back(tracer.input(real));
  const ops::DryScope dry;
  const ops::RecorderScope others(nullptr);
  const ops::RecorderScope scope(&tracer);
  return tracer.finish(work(stand_ins));
}

}  // namespace lathe::graph
