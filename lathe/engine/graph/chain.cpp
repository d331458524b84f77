#include "lathe/engine/graph/chain.h"

#include <algorithm>

#include "lathe/base/parallel.h"
#include "lathe/engine/ops/infer.h"

namespace lathe::graph {
namespace {

std::int64_t thread_bytes(const Node& chain) {
  return std::ssize(chain.inner) * kTile * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace

std::int64_t tiled_count(const Graph& graph, const Node& node) {
  if (!node.def->is(ops::kElementwise) || node.def->workspace != nullptr ||
      node.def->check != nullptr)
    return -1;
  std::int64_t count = 0;
  bool fits = true;
  each_value(node, [&](int v, bool writes) {
    if (writes) count = graph.value(v).count();
  });
  each_value(node, [&](int v, bool writes) {
    const Value& value = graph.value(v);
    // u8 halves of masters have two elements for each of the others.
    fits = fits && (value.count() == count ? value.contiguous() : !writes && value.count() == 1);
  });
  const ops::KernelCall call = shapes_of(graph, node);
  return fits && count > 0 && ops::isa_of(*node.def, call) == kernels::isa() ? count : -1;
}

Node make_chain(std::vector<Node> parts) {
  static const ops::OpDef kChain{.name = "chain"};
  Node node;
  node.def = &kChain;
  node.parts = std::move(parts);
  return node;
}

std::int64_t chain_workspace(const Node& chain) { return thread_bytes(chain) * thread_count(); }

ChainRun::ChainRun(const Graph& graph, const Node& chain,
                   const std::function<std::byte*(int buffer)>& begin_of, std::byte* workspace)
    : thread_bytes_(thread_bytes(chain)) {
  count_ = tiled_count(graph, chain.parts.front());
  const auto place = [&](int v, View& view) {
    const Value& value = graph.value(v);
    const auto inner = std::find(chain.inner.begin(), chain.inner.end(), v);
    if (inner != chain.inner.end()) {
      view = ops::as_vector(value.view(nullptr));
      view.data = workspace +
                  (inner - chain.inner.begin()) * kTile * static_cast<std::int64_t>(sizeof(float));
      return Place::inner;
    }
    view = value.view(begin_of(value.buffer));
    if (value.count() != count_) return Place::whole;
    view = ops::as_vector(view);
    return Place::tile;
  };
  for (const Node& node : chain.parts) {
    Part part{.kernel = node.def->cpu};
    part.call.attrs = &node.attrs;
    for (std::size_t i = 0; i < node.in.size(); ++i)
      if (node.in[i] != kAbsent) part.in[i] = place(node.in[i], part.call.in[i]);
    for (std::size_t i = 0; i < node.out.size(); ++i)
      part.out[i] = place(node.out[i], part.call.out[i]);
    parts_.push_back(part);
  }
}

void ChainRun::run() const noexcept {
  parallel_for(count_, kTile,
               [this](std::int64_t begin, std::int64_t end) { run_tile(begin, end); });
}

void ChainRun::run_tile(std::int64_t begin, std::int64_t end) const noexcept {
  const std::int64_t scratch = thread_bytes_ * thread_index();
  const auto narrow = [&](View& view, Place place) {
    if (place == Place::whole) return;
    view.dims[0] = end - begin;
    view.data =
        view.as<std::byte>() +
        (place == Place::inner ? scratch : begin * static_cast<std::int64_t>(size_of(view.dtype)));
  };
  for (const Part& part : parts_) {
    ops::KernelCall call = part.call;
    for (std::size_t i = 0; i < part.in.size(); ++i) narrow(call.in[i], part.in[i]);
    for (std::size_t i = 0; i < part.out.size(); ++i) narrow(call.out[i], part.out[i]);
    part.kernel(call);
  }
}

}  // namespace lathe::graph
