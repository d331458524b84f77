// Reverse-mode differentiation: a recorder that remembers op calls and walks them backwards.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "lathe/engine/autograd/row_sum.h"
#include "lathe/engine/ops/op.h"

namespace lathe::autograd {

struct BackwardOptions {
  /// Record the backward pass too, so that gradients have gradients; the tape must keep_all.
  /// Composites are differentiated in place of hand-written rules, accumulators are not used.
  bool create_graph = false;
};

/// Records calls while it is on the recorder stack and an input is tracked. One thread at a time.
///
///   Tape tape;
///   tape.watch(w);
///   { ops::RecorderScope scope(&tape); loss = f(w); }
///   tape.backward(loss);
///   Tensor dw = tape.gradient(w);
class Tape : public ops::Recorder {
 public:
  /// `keep_all` keeps every tensor, as backward passes with create_graph need; otherwise only what
  /// the gradient rules ask for.
  explicit Tape(bool keep_all = false);
  ~Tape() override;

  /// Makes `leaf` tracked. With an accumulator (f32, same shape), gradients are added into it,
  /// tokens ascending, and gradient() stays undefined.
  void watch(const Tensor& leaf, Tensor accumulator = {});
  /// Makes a table tracked that is only read by rows; `rows` outlives the tape.
  void watch_rows(const Tensor& table, RowSum* rows);

  void after(const ops::OpDef& def, ops::Inputs in, ops::Inputs out,
             const ops::Attrs& attrs) override;

  /// Walks back from `root`, whose gradient is `seed` (ones when undefined). Without create_graph
  /// saved tensors are released as they are used, so a tape serves one backward pass. Throws
  /// Unsupported where an op has neither a gradient rule nor a composite.
  void backward(const Tensor& root, const Tensor& seed = {}, BackwardOptions options = {});

  /// The gradient of a leaf; undefined where none arrived.
  Tensor gradient(const Tensor& leaf) const;

  bool tracks(const Tensor& t) const { return t.defined() && entries_.contains(t.id()); }

  /// The tape on top of this thread's recorder stack, for recompute().
  static Tape* current();

 private:
  friend Tensor recompute(const std::function<Tensor(const Tensor&)>&, const Tensor&);
  class Sink;
  struct Node {
    const ops::OpDef* def = nullptr;
    std::vector<Tensor> in, out;
    ops::Attrs attrs;
    std::function<Tensor(const Tensor&)> replay;  // recompute() only
  };
  struct Entry {
    bool leaf = false;
    Tensor accumulator;
    RowSum* rows = nullptr;
    Tensor gradient;
  };

  void keep_inputs(Node& node, ops::Inputs in) const;
  Tensor materialise(const Tensor& kept);
  void visit(Node& node, BackwardOptions options);
  void differentiate(Node& node, const ops::VjpCall& call, BackwardOptions options);
  void differentiate_composite(Node& node, const ops::VjpCall& call, BackwardOptions options);
  void differentiate_replay(Node& node, const Tensor& gradient);
  void accumulate(std::uint64_t id, const Tensor& like, const Tensor& gradient,
                  BackwardOptions options);

  std::vector<Node> nodes_;
  std::unordered_map<std::uint64_t, std::size_t> cheap_;  // output 0 of a cheap op -> its node
  std::unordered_map<std::uint64_t, Entry> entries_;
  bool keep_all_;
  bool recording_ = true;
  Tape* outer_;
};

/// Runs f(x) without keeping what it computes; the backward pass runs it again (activation
/// recompute). f must be a pure function of x and of watched leaves. Outside a tape it is just
/// f(x).
Tensor recompute(const std::function<Tensor(const Tensor&)>& f, const Tensor& x);

}  // namespace lathe::autograd
