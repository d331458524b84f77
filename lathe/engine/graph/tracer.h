// From op calls to a graph.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <tuple>

#include "lathe/engine/graph/graph.h"

namespace lathe::graph {

/// Ops alone: from inputs to outputs, and into tensors that live longer.
using Work = std::function<std::vector<Tensor>(std::span<const Tensor>)>;

/// What `work` does to `inputs`, found by running it dry (ops::DryScope) on stand-ins: nothing is
/// computed or written, and what the host does in between cannot depend on values. The inputs'
/// memory is what a replay reads; tensors that work reaches otherwise are held, so that parameters
/// and accumulators stay alive. Recorders see nothing of it.
/// Throws Unsupported where work reads a tensor that the host filled meanwhile, or an op has no
/// kernel; and what work throws.
/// Shapes: inputs are contiguous and whole storages.
Graph capture(std::span<const Tensor> inputs, const Work& work);

/// The recorder of capture().
class Tracer : public ops::Recorder {
 public:
  /// A stand-in for `real`.
  Tensor input(const Tensor& real);
  void after(const ops::OpDef& def, ops::Inputs in, ops::Inputs out,
             const ops::Attrs& attrs) override;
  Graph finish(const std::vector<Tensor>& outputs);

 private:
  using ValueKey = std::tuple<int, std::int64_t, DType, std::vector<std::int64_t>>;

  Tensor laid_out(const ops::OpDef& def, std::size_t input, const Tensor& t);
  int buffer_of(const Tensor& t);
  int add_value(const Tensor& t, int buffer);
  int read(const ops::OpDef& def, const Tensor& t);
  int written(const ops::OpDef& def, const Tensor& t);

  Graph graph_;
  std::map<const Storage*, int> buffers_;
  std::map<ValueKey, int> values_;
  std::vector<std::shared_ptr<Storage>> stand_ins_;  // kept, so that no address comes again
  std::vector<bool> filled_;                         // by buffer: an op wrote it, or it is outside
};

}  // namespace lathe::graph
