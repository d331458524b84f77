#include "lathe/engine/graph/graph.h"

#include "lathe/base/json.h"

namespace lathe::graph {

View Value::view(std::byte* begin) const {
  View v;
  v.rank = shape.rank();
  v.dtype = dtype;
  for (int i = 0; i < v.rank; ++i) {
    v.dims[i] = shape[i];
    v.strides[i] = strides[static_cast<std::size_t>(i)];
  }
  if (begin != nullptr) v.data = begin + offset * static_cast<std::int64_t>(size_of(dtype));
  return v;
}

bool Graph::is_whole(int v) const {
  const Value& x = value(v);
  return x.offset == 0 && x.contiguous() && x.bytes() == buffer_of(v).bytes;
}

ops::KernelCall shapes_of(const Graph& graph, const Node& node) {
  ops::KernelCall call{};
  call.attrs = &node.attrs;
  for (std::size_t i = 0; i < node.in.size(); ++i)
    if (node.in[i] != kAbsent) call.in[i] = graph.value(node.in[i]).view(nullptr);
  for (std::size_t i = 0; i < node.out.size(); ++i)
    call.out[i] = graph.value(node.out[i]).view(nullptr);
  return call;
}

std::string name_of(const Node& node) {
  std::string names;
  if (node.parts.empty()) {
    for (const Node& part : node.before) names += name_of(part) + "+";
    names += node.def->name;
    for (const Node& part : node.after) names += "+" + name_of(part);
    return names;
  }
  for (const Node& part : node.parts) names += (names.empty() ? "" : " ") + name_of(part);
  return fmt::format("{}({})", node.def->name, names);
}

namespace {

std::string label(const Graph& graph, int v) {
  if (v == kAbsent) return "-";
  constexpr const char* kMarks[] = {"%", "in", "@"};
  const Value& value = graph.value(v);
  return fmt::format("{}{} {} {}", kMarks[static_cast<int>(graph.buffer_of(v).kind)], value.buffer,
                     name(value.dtype), lathe::to_string(value.shape));
}

std::string list_of(const Graph& graph, const std::vector<int>& values) {
  std::string text;
  for (const int v : values) text += (text.empty() ? "" : ", ") + label(graph, v);
  return text;
}

}  // namespace

std::string to_string(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes) {
    if (!node.out.empty()) text += list_of(graph, node.out) + " = ";
    text += fmt::format("{}({})", name_of(node), list_of(graph, node.in));
    if (ops::Attrs attrs = node.attrs; !attrs.empty()) text += " " + write_json(attrs);
    text += "\n";
  }
  return text + "-> " + list_of(graph, graph.outputs) + "\n";
}

}  // namespace lathe::graph
