// Products take over the ops beside them: norms and activations that make their rows, where they
// quantise these anyway; residuals and gates that read what they have just written.
#include <algorithm>

#include "lathe/engine/graph/fused.h"
#include "lathe/engine/graph/passes/pass.h"

namespace lathe::graph::passes {
namespace {

class Fusion {
 public:
  explicit Fusion(Graph& graph) : graph_(graph), uses_(graph), keep_(graph.nodes.size(), true) {}

  std::int64_t run(void (Fusion::*fuse)(int node)) {
    for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) (this->*fuse)(i);
    return keep_nodes(graph_, keep_);
  }

  /// Elementwise node i goes into the last product that it reads.
  void into_product_before(int i) {
    Node& node = at(i);
    if (!takes_tiles(graph_, node)) return;
    int product = -1;
    for (const int v : node.in) product = std::max(product, only_source(v, i));
    if (product < 0 || !at(product).def->is(ops::kTileAfter) || !keep_[index(product)]) return;
    if (!at(product).after.empty()) return;  // a product takes one
    const std::vector<int> results = at(product).out;
    const Value& y = graph_.value(node.out[0]);
    const bool ready = std::all_of(results.begin(), results.end(), [&](int v) {
      return same_rows(graph_.value(v), y) && only_source(v, i) == product;
    });
    if (!ready || !may_wait(product, i)) return;
    // The first result lies where the node's own will lie: it is elementwise.
    const int first = graph_.value(results[0]).buffer;
    for (int& v : node.in)
      if (graph_.value(v).buffer == first) v = node.out[0];
    Node fused = std::move(at(product));
    fused.out[0] = node.out[0];
    fused.after.push_back(std::move(node));
    node = std::move(fused);
    keep_[index(product)] = false;
  }

  /// What makes the rows of product i goes into it.
  void into_product_after(int i) {
    Node& product = at(i);
    if (!product.def->is(ops::kRowsBefore)) return;
    const int x = product.in[0], source = only_source(x, i);
    if (source < 0 || !makes_rows(graph_, at(source)) || !may_wait(source, i)) return;
    const std::vector<int>& made = at(source).out;
    const bool fits = same_rows(graph_.value(made[0]), graph_.value(x)) &&
                      graph_.value(made[0]).buffer == graph_.value(x).buffer;
    const bool rest_unread = std::all_of(made.begin() + 1, made.end(), [&](int v) {
      return is_between(v) && uses_.readers_of(graph_.value(v).buffer).empty();
    });
    if (!fits || !rest_unread) return;
    product.before.push_back(std::move(at(source)));
    keep_[index(source)] = false;
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  Node& at(int i) { return graph_.nodes[index(i)]; }

  /// Of this graph only, and one tensor.
  bool is_between(int v) const {
    const int buffer = graph_.value(v).buffer;
    return graph_.buffer(buffer).kind == Buffer::Kind::planned && !is_output(graph_, buffer) &&
           graph_.is_whole(v);
  }

  /// The only node that writes v, if `reader` alone reads it; -1: there is none.
  int only_source(int v, int reader) const {
    if (v == kAbsent || !is_between(v)) return -1;
    const auto& readers = uses_.readers_of(graph_.value(v).buffer);
    const auto& writers = uses_.writers_of(graph_.value(v).buffer);
    const bool alone = readers.size() == 1 && readers[0] == reader && writers.size() == 1;
    return alone && writers[0] < reader ? writers[0] : -1;
  }

  /// Nobody between the two nodes writes what the first one reads, so it may run later.
  bool may_wait(int node, int until) {
    bool may = true;
    each_value(at(node), [&](int v, bool writes) {
      if (writes) return;
      const auto& writers = uses_.writers_of(graph_.value(v).buffer);
      may = may && std::none_of(writers.begin(), writers.end(),
                                [&](int w) { return w > node && w < until; });
    });
    return may;
  }

  Graph& graph_;
  const Uses uses_;
  std::vector<bool> keep_;
};

}  // namespace

std::int64_t fuse(Graph& graph, const PassOptions&) {
  const std::int64_t after = Fusion(graph).run(&Fusion::into_product_before);
  return after + Fusion(graph).run(&Fusion::into_product_after);
}

}  // namespace lathe::graph::passes
