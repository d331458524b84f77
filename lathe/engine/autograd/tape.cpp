#include "lathe/engine/autograd/tape.h"

#include "lathe/base/error.h"
#include "lathe/engine/ops/ops.h"

namespace lathe::autograd {
namespace {
thread_local Tape* innermost = nullptr;
}  // namespace

/// Hands a rule's results to the tape's entries.
class Tape::Sink : public ops::GradSink {
 public:
  Sink(Tape& tape, const std::vector<Tensor>& in, BackwardOptions options)
      : tape_(tape), in_(in), options_(options) {}

  bool wants(int input) const override {
    return input < static_cast<int>(in_.size()) && tape_.tracks(at(input));
  }
  void add(int input, const Tensor& gradient) override {
    if (wants(input)) tape_.accumulate(at(input).id(), at(input), gradient, options_);
  }
  Tensor accumulator(int input) const override {
    if (options_.create_graph || !wants(input)) return {};
    return tape_.entries_.at(at(input).id()).accumulator;
  }
  bool add_rows(int input, const Tensor& rows, const Tensor& ids) override {
    if (options_.create_graph || !wants(input)) return false;
    RowSum* sum = tape_.entries_.at(at(input).id()).rows;
    if (sum != nullptr) sum->add(rows, ids);
    return sum != nullptr;
  }

 private:
  const Tensor& at(int input) const { return in_[static_cast<std::size_t>(input)]; }

  Tape& tape_;
  const std::vector<Tensor>& in_;
  BackwardOptions options_;
};

Tape::Tape(bool keep_all) : keep_all_(keep_all), outer_(innermost) { innermost = this; }
Tape::~Tape() { innermost = outer_; }
Tape* Tape::current() { return innermost; }

void Tape::watch(const Tensor& leaf, Tensor accumulator) {
  if (accumulator.defined() &&
      (accumulator.shape() != leaf.shape() || accumulator.dtype() != DType::f32))
    fail(ErrorCode::kShapeMismatch, "tape: accumulator {} does not fit leaf {}; expected f32",
         describe(accumulator), describe(leaf));
  entries_[leaf.id()] = Entry{.leaf = true, .accumulator = std::move(accumulator)};
}

void Tape::watch_rows(const Tensor& table, RowSum* rows) {
  entries_[table.id()] = Entry{.leaf = true, .rows = rows};
}

void Tape::after(const ops::OpDef& def, ops::Inputs in, ops::Inputs out, const ops::Attrs& attrs) {
  if (!recording_) return;
  bool tracked = false;
  for (const Tensor& t : in) tracked = tracked || tracks(t);
  if (!tracked) return;
  if (def.is(ops::kInPlace)) {
    for (int i = 0; i < def.writes; ++i)
      if (tracks(in[static_cast<std::size_t>(i)]))
        fail(ErrorCode::kInvalidArgument, "{}: writes into a tensor that the tape needs unchanged",
             def.name);
    return;  // gradients do not flow through writes
  }
  Node node;
  node.def = &def;
  node.attrs = attrs;
  keep_inputs(node, in);
  const bool rule = def.vjp != nullptr && !keep_all_;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool keep = keep_all_ || (rule && (def.saves_outputs >> i & 1) != 0);
    node.out.push_back(keep ? out[i] : out[i].shell());
    const bool flows = (def.differentiable_outputs >> i & 1) != 0 && is_float(out[i].dtype());
    if (flows) entries_.try_emplace(out[i].id());
  }
  if (rule && def.is(ops::kCheap)) cheap_[out[0].id()] = nodes_.size();
  nodes_.push_back(std::move(node));
}

/// Without a rule the composite is replayed from the inputs, so all of them stay; otherwise those
/// that the rule reads, unless they are the output of a cheap op.
void Tape::keep_inputs(Node& node, ops::Inputs in) const {
  const bool rule = node.def->vjp != nullptr && !keep_all_;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const bool needed = !rule || (node.def->saves_inputs >> i & 1) != 0;
    const bool drop = in[i].defined() && (!needed || (rule && cheap_.contains(in[i].id())));
    node.in.push_back(drop ? in[i].shell() : in[i]);
  }
}

/// The values of an input that was dropped because its op is cheap; computed once for all its
/// users, which lie behind the op and are visited before it.
Tensor Tape::materialise(const Tensor& kept) {
  if (!kept.defined() || kept.storage() != nullptr) return kept;
  const auto found = cheap_.find(kept.id());
  if (found == cheap_.end()) return kept;
  Node& producer = nodes_[found->second];
  if (producer.out[0].storage() == nullptr) {
    for (Tensor& input : producer.in) input = materialise(input);
    producer.out[0] =
        producer.out[0].refilled(ops::apply(*producer.def, producer.in, producer.attrs)[0]);
  }
  return producer.out[0];
}

void Tape::backward(const Tensor& root, const Tensor& seed, BackwardOptions options) {
  if (!tracks(root)) return;
  if (options.create_graph && !keep_all_)
    fail(ErrorCode::kInvalidArgument, "tape: create_graph needs a tape that keeps all, Tape(true)");
  const bool was_recording = recording_;
  recording_ = options.create_graph;
  if (options.create_graph) {
    // An earlier walk (another root) left gradients between; only leaves add up over walks.
    for (auto& [id, entry] : entries_)
      if (!entry.leaf) entry.gradient = Tensor();
  }
  try {
    accumulate(root.id(), root,
               seed.defined() ? seed : ops::full(root.shape(), 1.0, root.dtype(), root.device()),
               options);
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      Node node = options.create_graph ? nodes_[i] : std::move(nodes_[i]);
      if (!options.create_graph) nodes_.pop_back();
      visit(node, options);
    }
  } catch (...) {
    recording_ = was_recording;
    throw;
  }
  recording_ = was_recording;
}

void Tape::visit(Node& node, BackwardOptions options) {
  std::vector<Tensor> gradients;
  bool any = false;
  for (const Tensor& out : node.out) {
    const auto entry = entries_.find(out.id());
    if (entry == entries_.end()) {
      gradients.emplace_back();
      continue;
    }
    gradients.push_back(entry->second.gradient);
    any = any || gradients.back().defined();
    // Everything that used this output lies behind us, so its gradient is complete.
    if (!options.create_graph && !entry->second.leaf) entries_.erase(entry);
  }
  if (!any) return;
  if (!node.replay)
    for (std::size_t i = 0; i < node.in.size(); ++i)
      if ((node.def->saves_inputs >> i & 1) != 0) node.in[i] = materialise(node.in[i]);
  const ops::VjpCall call{node.in, node.out, gradients, node.attrs};
  if (node.replay) {
    differentiate_replay(node, gradients[0]);
  } else {
    differentiate(node, call, options);
  }
}

void Tape::differentiate(Node& node, const ops::VjpCall& call, BackwardOptions options) {
  const ops::OpDef& def = *node.def;
  const bool use_composite =
      def.composite != nullptr && (def.vjp == nullptr || options.create_graph);
  if (use_composite) return differentiate_composite(node, call, options);
  if (def.vjp == nullptr)
    fail(ErrorCode::kUnsupported, "{}: has no gradient{}", def.name,
         options.create_graph ? " of second order" : "");
  Sink sink(*this, node.in, options);
  def.vjp(call, sink);
}

void Tape::differentiate_composite(Node& node, const ops::VjpCall& call, BackwardOptions options) {
  Tape inner(true);
  Sink sink(*this, node.in, options);
  for (int i = 0; i < static_cast<int>(node.in.size()); ++i)
    if (sink.wants(i)) inner.watch(node.in[static_cast<std::size_t>(i)]);
  ops::Outputs out;
  {
    // The outer tape stays below on the stack and records too when create_graph asks for it.
    const ops::RecorderScope scope(&inner);
    out = node.def->composite(node.in, node.attrs);
  }
  // With several outputs the gradient of each is seeded in turn; leaves add up.
  for (int i = 0; i < out.size(); ++i) {
    const Tensor& gradient = call.grad[static_cast<std::size_t>(i)];
    if (gradient.defined()) inner.backward(out[i], gradient, {.create_graph = true});
  }
  for (int i = 0; i < static_cast<int>(node.in.size()); ++i) {
    if (!sink.wants(i)) continue;
    const Tensor gradient = inner.gradient(node.in[static_cast<std::size_t>(i)]);
    if (gradient.defined()) sink.add(i, gradient);
  }
}

void Tape::differentiate_replay(Node& node, const Tensor& gradient) {
  Tape inner;
  // The same leaves with the same accumulators: going on from the stored values.
  for (const auto& [id, entry] : entries_)
    if (entry.leaf)
      inner.entries_[id] =
          Entry{.leaf = true, .accumulator = entry.accumulator, .rows = entry.rows};
  const Tensor x = node.in[0].alias();
  inner.watch(x);
  Tensor y;
  {
    const ops::RecorderScope scope(&inner);
    y = node.replay(x);
  }
  inner.backward(y, gradient);
  const Tensor dx = inner.gradient(x);
  if (dx.defined() && tracks(node.in[0])) accumulate(node.in[0].id(), node.in[0], dx, {});
}

void Tape::accumulate(std::uint64_t id, const Tensor& like, const Tensor& gradient,
                      BackwardOptions options) {
  LATHE_CHECK(gradient.shape() == like.shape());
  const Tensor typed =
      gradient.dtype() == like.dtype() ? gradient : ops::cast(gradient, like.dtype());
  Entry& entry = entries_.at(id);
  if (entry.rows != nullptr && !options.create_graph)
    fail(ErrorCode::kUnsupported, "tape: {} is watched by rows; a whole gradient arrived",
         describe(like));
  if (entry.accumulator.defined() && !options.create_graph) {
    ops::add_acc_(entry.accumulator, typed);
    return;
  }
  const Tensor sum = entry.gradient.defined() ? ops::add(entry.gradient, typed) : typed;
  entries_.at(id).gradient = sum;  // looked up again: a recorded add may have grown the map
}

Tensor Tape::gradient(const Tensor& leaf) const {
  const auto entry = entries_.find(leaf.id());
  return entry == entries_.end() ? Tensor() : entry->second.gradient;
}

Tensor recompute(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  Tape* tape = Tape::current();
  if (tape == nullptr || !tape->recording_ || !tape->tracks(x)) return f(x);
  tape->recording_ = false;
  Tensor y;
  try {
    y = f(x);
  } catch (...) {
    tape->recording_ = true;
    throw;
  }
  tape->recording_ = true;
  Tape::Node node;
  node.in = {x};
  node.out = {y.shell()};
  node.replay = f;
  tape->entries_.try_emplace(y.id());
  tape->nodes_.push_back(std::move(node));
  return y;
}

}  // namespace lathe::autograd
