#include "lathe/engine/graph/replay.h"

namespace lathe::graph {

void Arena::reserve(std::int64_t bytes) {
  if (bytes <= bytes_ && storage_ != nullptr) return;
  storage_.reset();
  release_cached_memory();  // the old arena too, before the new one is there
  storage_ = Storage::allocate(static_cast<std::size_t>(bytes), Device::cpu);
  bytes_ = bytes;
}

Replay::Replay(Graph graph, std::shared_ptr<Arena> arena)
    : graph_(std::move(graph)), plan_(lathe::graph::plan(graph_)), arena_(std::move(arena)) {
  arena_->reserve(plan_.arena_bytes);
}

std::byte* Replay::begin_of(int buffer) const {
  const Buffer& b = graph_.buffer(buffer);
  if (b.kind != Buffer::Kind::planned) return b.storage->data();
  return arena_->storage()->data() + plan_.buffer_at[static_cast<std::size_t>(buffer)];
}

Tensor Replay::tensor_of(int v) const {
  const Value& value = graph_.value(v);
  const Buffer& buffer = graph_.buffer(value.buffer);
  const bool planned = buffer.kind == Buffer::Kind::planned;
  const std::int64_t at = planned ? plan_.buffer_at[static_cast<std::size_t>(value.buffer)] : 0;
  const Tensor whole =
      Tensor::over(planned ? arena_->storage() : buffer.storage, static_cast<std::size_t>(at),
                   {buffer.bytes / static_cast<std::int64_t>(size_of(value.dtype))}, value.dtype);
  return whole.alias(value.shape, value.strides, value.offset);
}

Replay::Call Replay::prepared(const Node& node, const Plan::Workspace& w) const {
  Call call{.run = node.def->cpu, .check = node.def->check};
  std::byte* const workspace = w.bytes > 0 ? arena_->storage()->data() + w.at : nullptr;
  const auto begin = [this](int buffer) { return begin_of(buffer); };
  if (!node.parts.empty()) {
    call.chain = std::make_unique<ChainRun>(graph_, node, begin, workspace);
    return call;
  }
  call.weights = weights_of(node);
  call.views = shapes_of(graph_, node);
  const auto view = [&](int v) { return graph_.value(v).view(begin(graph_.value(v).buffer)); };
  for (std::size_t i = 0; i < node.in.size(); ++i)
    if (node.in[i] != kAbsent) call.views.in[i] = view(node.in[i]);
  for (std::size_t i = 0; i < node.out.size(); ++i) call.views.out[i] = view(node.out[i]);
  call.views.workspace = workspace;
  call.views.workspace_bytes = w.bytes;
  if (!node.before.empty() || !node.after.empty()) {
    call.fused = std::make_unique<FusedParts>(graph_, node, begin);
    call.fused->attach(call.views);
  }
  call.reference = ops::isa_of(*node.def, call.views) != kernels::isa();
  if (call.check != nullptr)
    for (const int v : node.in) call.checked.push_back(v == kAbsent ? Tensor() : tensor_of(v));
  return call;
}

/// Large inputs that are not results of the graph, of ops that read all of their inputs.
std::vector<ReadSoon> Replay::weights_of(const Node& node) const {
  constexpr std::int64_t kWorthwhile = 32 << 10;
  std::vector<ReadSoon> weights;
  if (node.def->bytes != nullptr) return weights;
  for (const int v : node.in) {
    if (v == kAbsent || weights.size() == kMostReadSoon) continue;
    const Value& value = graph_.value(v);
    if (graph_.buffer(value.buffer).kind != Buffer::Kind::held) continue;
    const View view = value.view(begin_of(value.buffer));
    const std::int64_t bytes = view.count() * static_cast<std::int64_t>(size_of(view.dtype));
    if (bytes >= kWorthwhile) weights.push_back({view.data, bytes});
  }
  return weights;
}

/// Behind the last call the graph is expected to run again.
void Replay::look_ahead() {
  const std::vector<ReadSoon>* next = nullptr;
  for (int round = 0; round < 2; ++round)
    for (std::size_t i = calls_.size(); i-- > 0;) {
      calls_[i].ahead = next;
      if (!calls_[i].weights.empty()) next = &calls_[i].weights;
    }
  for (std::size_t i = calls_.size(); i-- > 1;)  // said once
    if (calls_[i].ahead == calls_[i - 1].ahead) calls_[i].ahead = nullptr;
}

/// Addresses, once for each memory that the arena has had.
void Replay::prepare() {
  if (prepared_for_ == arena_->storage() && prepared_for_ != nullptr) return;
  prepared_for_ = arena_->storage();
  calls_.clear();
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
    calls_.push_back(prepared(graph_.nodes[i], plan_.workspaces[i]));
  look_ahead();
  outputs_.clear();
  for (const int v : graph_.outputs) outputs_.push_back(tensor_of(v));
}

void Replay::run_call(const Call& call) {
  if (call.ahead != nullptr) read_soon(*call.ahead);
  if (call.chain) return call.chain->run();
  if (call.check != nullptr) call.check(call.checked);
  if (!call.reference) return call.run(call.views);
  const kernels::IsaScope scope(kernels::Isa::reference);
  call.run(call.views);
}

void Replay::run() {
  prepare();
  for (const Call& call : calls_) run_call(call);
}

const std::vector<Tensor>& Replay::outputs() {
  prepare();
  return outputs_;
}

std::vector<double> Replay::measure(const Clock& clock) {
  prepare();
  std::vector<double> seconds;
  for (const Call& call : calls_) {
    const double start = clock.seconds();
    run_call(call);
    seconds.push_back(clock.seconds() - start);
  }
  return seconds;
}

}  // namespace lathe::graph
