#include "lathe/life/recipes/inspect.h"

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/life/recipes/convert_parts.h"

namespace lathe::recipes {
namespace {

using weights::GgufType;
using weights::GgufValue;

constexpr std::size_t kShownCharacters = 60, kShownItems = 6;

std::string shown(const GgufValue& value, std::size_t i) {
  if (value.type() == GgufType::string) {
    std::string text(value.text(i).substr(0, kShownCharacters));
    if (value.text(i).size() > kShownCharacters) text += "...";
    return print_json(Tree::of(text));
  }
  if (value.type() == GgufType::boolean) return value.boolean(i) ? "true" : "false";
  if (value.type() == GgufType::f32) return fmt::format("{}", static_cast<float>(value.number(i)));
  if (weights::is_integer(value.type()) && value.type() != GgufType::u64)
    return fmt::format("{}", value.integer(i));
  return fmt::format("{}", value.number(i));
}

InspectedKey shown_key(const std::string& key, const GgufValue& value) {
  const std::string type(weights::name(value.type()));
  if (!value.is_array()) return {key, type, shown(value, 0)};
  std::string text = "[";
  for (std::size_t i = 0; i < std::min(value.count(), kShownItems); ++i)
    text += (i > 0 ? ", " : "") + shown(value, i);
  text += value.count() > kShownItems ? ", ...]" : "]";
  return {key, fmt::format("{}[{}]", type, value.count()), text};
}

void take_gguf(const weights::GgufFile& file, Inspection& out) {
  out.container = fmt::format("GGUF version {}", file.version());
  if (file.parts().size() > 1) out.container += fmt::format(", {} parts", file.parts().size());
  for (const auto& [key, value] : file.metadata().items())
    out.metadata.push_back(shown_key(key, value));
  for (const weights::GgufTensor& t : file.tensors())
    out.tensors.push_back({t.name,
                           std::string(t.type->name),
                           {t.shape.begin(), t.shape.end()},
                           static_cast<std::int64_t>(t.bytes)});
}

void take_weights(const weights::WeightSource& source, Inspection& out) {
  for (const std::string& name : source.names()) {
    const weights::StoredFacts t = source.facts(name);
    out.tensors.push_back(
        {name, t.type, {t.shape.begin(), t.shape.end()}, static_cast<std::int64_t>(t.bytes)});
  }
}

std::string kind_of(const conversion::Source& source) {
  if (source.gguf == nullptr) return "tokenizer.json";
  const weights::GgufMetadata& m = source.gguf->metadata();
  return fmt::format("{} {}", m.text("tokenizer.ggml.model").value_or(""),
                     m.text("tokenizer.ggml.pre").value_or(""));
}

void take_tokenizer(conversion::Source& source, const FileSystem& files, Inspection& out) {
  try {
    source.tokenizer = open_tokenizer(source, files);
  } catch (const Error& error) {
    out.tokenizer = error.message();
    return;
  }
  if (source.tokenizer == nullptr) {
    out.tokenizer = "none";
    return;
  }
  out.tokenizer = kind_of(source);
  out.vocabulary = source.tokenizer->vocab_size();
  out.bos = source.tokenizer->bos_id();
  out.eos = source.tokenizer->eos_id();
  for (const std::int32_t id : source.tokenizer->stop_ids()) out.stops.push_back(id);
}

Tree tree_of(const InspectedTensor& t) {
  Tree tree = Tree::table();
  tree.add("name", Tree::of(t.name));
  tree.add("type", Tree::of(t.type));
  tree.add("shape", Tree::of(t.shape));
  tree.add("bytes", Tree::of(t.bytes));
  return tree;
}

Tree tree_of(const InspectedKey& k) {
  Tree tree = Tree::table();
  tree.add("key", Tree::of(k.key));
  tree.add("type", Tree::of(k.type));
  tree.add("value", Tree::of(k.value));
  return tree;
}

template <typename T>
Tree list_of(const std::vector<T>& values) {
  Tree tree;
  tree.kind = Tree::Kind::array;
  for (const T& value : values) tree.items.push_back(tree_of(value));
  return tree;
}

Tree optional(const std::optional<std::int64_t>& value) {
  return value ? Tree::of(*value) : Tree();
}

}  // namespace

Inspection inspect(const std::string& path, const FileSystem& files) {
  conversion::Source source = conversion::open_source(path, files);
  Inspection out;
  out.path = source.path;
  out.config = source.config;
  if (source.gguf != nullptr) {
    take_gguf(*source.gguf, out);
  } else {
    out.container = source.kind == ModelFiles::Kind::run ? "run folder" : "Hugging Face folder";
    take_weights(*source.weights, out);
  }
  for (const InspectedTensor& t : out.tensors) {
    std::int64_t n = 1;
    for (const std::int64_t d : t.shape) n *= d;
    out.parameters += n;
    out.weight_bytes += t.bytes;
  }
  const model::ModelConfig& c = out.config;
  out.cache_bytes_per_token =
      2 * c.layers * c.kv_heads * c.head_size * static_cast<std::int64_t>(sizeof(float));
  take_tokenizer(source, files, out);
  out.chat_template = source.chat_template;
  return out;
}

Tree Inspection::to_tree() const {
  model::ModelConfig copy = config;
  Tree memory = Tree::table();
  memory.add("weight_bytes", Tree::of(weight_bytes));
  memory.add("cache_bytes_per_token", Tree::of(cache_bytes_per_token));
  memory.add("cache_bytes_at_context", Tree::of(cache_bytes_per_token * config.context));
  Tree tok = Tree::table();
  tok.add("kind", Tree::of(tokenizer));
  tok.add("vocabulary", optional(vocabulary));
  tok.add("bos", optional(bos));
  tok.add("eos", optional(eos));
  tok.add("stop", Tree::of(stops));
  Tree tree = Tree::table();
  tree.add("path", Tree::of(path));
  tree.add("container", Tree::of(container));
  tree.add("parameters", Tree::of(parameters));
  tree.add("model", write_tree(fields_of(copy)));
  tree.add("memory", memory);
  tree.add("tokenizer", tok);
  tree.add("chat_template", chat_template.empty() ? Tree() : Tree::of(chat_template));
  tree.add("metadata", list_of(metadata));
  tree.add("tensors", list_of(tensors));
  return tree;
}

}  // namespace lathe::recipes
