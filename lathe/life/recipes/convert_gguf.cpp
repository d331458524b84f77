// Anything into a GGUF file.
#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/life/recipes/convert_parts.h"
#include "lathe/life/recipes/gguf_tokenizer.h"
#include "lathe/model/gguf_config.h"
#include "lathe/model/weights/gguf_recipe.h"

namespace lathe::recipes::conversion {
namespace {

using weights::GgufChange;
using weights::GgufFamily;
using weights::GgufLink;
using weights::GgufMetadata;
using weights::GgufRecipe;
using weights::GgufTensor;
using weights::GgufTensorFacts;
using weights::GgufTensorSource;
using weights::StoredTensor;

/// A tensor of the file to be: what it is before the choice of types, and how it is fetched.
struct Planned {
  GgufTensorFacts facts;
  std::function<StoredTensor()> fetch;
};

const weights::GgufTensorType* f32() { return weights::find_tensor_type("F32"); }

/// The families whose readers insist on an output projection also where it is the embedding.
bool wants_output(const std::string& kind) { return kind == "olmo2" || kind == "gpt_neox"; }

/// The name in the other world, also of a tensor that was saved without the base model's prefix.
std::optional<GgufLink> link_of(const GgufFamily& family, const std::string& name) {
  for (const char* prefix : {"", "model.", "transformer.", "gpt_neox."})
    if (auto link = family.link_of_hf(prefix + name)) return link;
  return {};
}

/// Masks and frequencies that older versions of transformers saved.
bool is_buffer(const std::string& name) {
  return name.ends_with(".attn.bias") || name.ends_with(".masked_bias") ||
         name.ends_with(".attention.bias") || name.ends_with("inv_freq");
}

std::int64_t groups_of(const Source& s, const GgufLink& link) {
  const bool key = link.hf.find(".k_proj.") != std::string::npos;
  return key ? s.config.kv_heads : s.config.heads;
}

/// Before its layer's tensors come those of the whole network, behind them the final norm.
std::int64_t place_of(const std::string& name) {
  if (name.starts_with("blk.")) return std::stoll(name.substr(4));
  return name.starts_with("output") ? 1 << 20 : -1;
}

class FromHf {
 public:
  explicit FromHf(const Source& source)
      : source_(source), family_(weights::family_of_kind(source.config.kind)) {}

  std::vector<Planned> plan(GgufMetadata& metadata) {
    for (const std::string& name : source_.weights->names()) add(name, metadata);
    std::stable_sort(planned_.begin(), planned_.end(), [](const Planned& a, const Planned& b) {
      return place_of(a.facts.name) < place_of(b.facts.name);
    });
    for (const auto& [name, values] : model::gguf_rope_tensors(source_.config))
      add_values(name, values);
    return std::move(planned_);
  }

 private:
  void add(const std::string& name, GgufMetadata& metadata) {
    if (is_buffer(name)) return;
    const auto link = link_of(family_, name);
    if (!link)
      fail(ErrorCode::kUnsupported, "{}: tensor '{}' has no place in GGUF files of {}",
           source_.weights->file_of(name), name, family_.architecture);
    if (link->gguf == "output.weight" && source_.config.tied) return;
    if (link->change == GgufChange::plus_one) keep_exact(name, *link, metadata);
    put(name, *link);
    if (link->gguf == "token_embd.weight" && source_.config.tied &&
        wants_output(source_.config.kind))
      put(name, {"output.weight", name});
  }

  void put(const std::string& name, const GgufLink& link) {
    const weights::StoredFacts t = source_.weights->facts(name);
    Shape shape = t.shape;
    if (link.change == GgufChange::transpose && shape.rank() == 2) shape = {t.shape[1], t.shape[0]};
    // What is not a matrix to be multiplied by is f32: that is what readers expect.
    const bool plain = !weights::takes_recipe(link.gguf, shape);
    const auto* type = plain ? f32() : &weights::type_of(t);
    const GgufChange change = t.shape.rank() == 1 && link.change == GgufChange::transpose
                                  ? GgufChange::none
                                  : link.change;
    planned_.push_back(
        {{link.gguf, shape, type}, [this, name, change, groups = groups_of(source_, link)] {
           return into_gguf_order(source_.weights->get(name), change, groups);
         }});
  }

  /// 1 + w loses the last bits of small w: these are kept beside.
  void keep_exact(const std::string& name, const GgufLink& link, GgufMetadata& metadata) {
    const std::vector<float> w = weights::decoded(source_.weights->get(name));
    const bool lossless =
        std::all_of(w.begin(), w.end(), [](float x) { return (x + 1.0f) - 1.0f == x; });
    if (!lossless)
      metadata.set(weights::exact_key(link.gguf), weights::GgufValue(std::span<const float>(w)));
  }

  void add_values(const std::string& name, const std::vector<float>& values) {
    const Shape shape = {static_cast<std::int64_t>(values.size())};
    planned_.push_back({{name, shape, f32()}, [values, shape] {
                          return StoredTensor{Tensor::from(values, shape), shape, {}};
                        }});
  }

  const Source& source_;
  const GgufFamily& family_;
  std::vector<Planned> planned_;
};

std::vector<Planned> plan_of_gguf(const weights::GgufFile& file) {
  std::vector<Planned> out;
  for (const GgufTensor& t : file.tensors())
    out.push_back({{t.name, t.shape, t.type}, [&file, &t] {
                     return StoredTensor{file.tensor(t), t.shape, t.type->quant};
                   }});
  return out;
}

void write_tokenizer(const Source& s, GgufMetadata& m, ConvertReport& report) {
  if (s.tokenizer == nullptr) {
    m.set("tokenizer.ggml.model", "none");
    report.notes.emplace_back("there is no tokenizer: other programs want ids");
    return;
  }
  tokenize::VocabularyParts parts = tokenize::vocabulary_of(*s.tokenizer);
  const auto id = [](std::optional<std::int64_t> from, std::optional<std::int32_t>& to) {
    if (from && !to) to = static_cast<std::int32_t>(*from);
  };
  id(s.bos, parts.bos);
  id(s.pad, parts.padding);
  if (!s.eos.empty()) id(s.eos.front(), parts.eos);
  write_vocabulary(std::move(parts), s.config.vocab, m);
  if (!s.tokenizer_json.empty()) m.set(kGgufTokenizerJson, s.tokenizer_json);
  if (!s.chat_template.empty()) m.set(kGgufChatTemplate, s.chat_template);
}

/// llama.cpp takes files of such a name for Phi-3 and refuses them where its tokens are missing.
bool passes_for_phi3(const Source& s) {
  if (s.tokenizer == nullptr) return false;
  std::string name = s.name;
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (name.find("phi3") == std::string::npos && name.find("phi-3") == std::string::npos)
    return false;
  constexpr const char* kTokens[] = {"</s>", "<unk>", "<s>", "<|endoftext|>"};
  return !std::all_of(std::begin(kTokens), std::end(kTokens),
                      [&](const char* token) { return s.tokenizer->id_of(token).has_value(); });
}

GgufMetadata metadata_of_hf(const Source& s, ConvertReport& report) {
  GgufMetadata m;
  m.set("general.architecture", weights::family_of_kind(s.config.kind).architecture);
  m.set("general.type", "model");
  if (passes_for_phi3(s)) {
    report.notes.push_back("general.name is left out: by '" + s.name +
                           "' llama.cpp would look for the tokens of Phi-3");
  } else {
    m.set("general.name", s.name);
  }
  model::write_gguf_config(s.config, m);
  write_tokenizer(s, m, report);
  for (const std::string& part : model::beyond_gguf(s.config))
    report.notes.push_back("GGUF cannot say this to other programs: " + part);
  return m;
}

/// A requested type, or the source's own.
const GgufRecipe* recipe_for(const Source& s, const std::string& type) {
  if (!type.empty()) return &weights::gguf_recipe(type);
  return s.gguf != nullptr ? nullptr : &weights::gguf_recipe(name(weights::main_dtype(*s.weights)));
}

std::vector<GgufTensorSource> choose(const Source& s, const GgufRecipe* recipe,
                                     const std::vector<Planned>& planned, Job& job) {
  std::vector<GgufTensorFacts> facts;
  for (const Planned& p : planned) facts.push_back(p.facts);
  std::vector<const weights::GgufTensorType*> types;
  for (const GgufTensorFacts& f : facts) types.push_back(f.type);
  if (recipe != nullptr)
    types = choose_types(*recipe,
                         {weights::family_of_kind(s.config.kind).architecture, s.config.layers,
                          s.config.heads, s.config.kv_heads},
                         facts);
  std::vector<GgufTensorSource> out;
  for (std::size_t i = 0; i < planned.size(); ++i)
    out.push_back({facts[i].name, types[i], facts[i].shape,
                   [&job, type = types[i], fetch = planned[i].fetch](const auto& sink) {
                     job.check();
                     write_as(fetch(), *type, job, sink);
                   }});
  return out;
}

/// Written aside, synced, renamed; what is half done is removed again.
void write_aside(FileSystem& files, const std::string& target, const GgufMetadata& metadata,
                 const std::vector<GgufTensorSource>& tensors) {
  const std::string aside = target + ".part";
  try {
    const auto writer = files.open_for_write(aside);
    write_gguf(*writer, target, metadata, tensors);
    writer->sync();
    writer->close();
    files.rename(aside, target);
  } catch (...) {
    files.remove_all(aside);
    throw;
  }
  files.sync_directory(parent_path(target));
}

}  // namespace

ConvertReport to_gguf(const Source& s, const std::string& target, const ConvertOptions& options) {
  ConvertReport report;
  if (options.files->is_directory(target))
    fail(ErrorCode::kInvalidArgument, "{}: expected a file, this is a folder", target);
  GgufMetadata metadata = s.gguf != nullptr ? s.gguf->metadata() : metadata_of_hf(s, report);
  FromHf from_hf(s);
  const std::vector<Planned> planned =
      s.gguf != nullptr ? plan_of_gguf(*s.gguf) : from_hf.plan(metadata);
  const GgufRecipe* recipe = recipe_for(s, options.type);
  std::int64_t total = 0;
  for (const Planned& p : planned)
    total += p.facts.shape.count() / p.facts.type->block_elements * p.facts.type->block_bytes;
  Job job(options, target, total);
  const std::vector<GgufTensorSource> tensors = choose(s, recipe, planned, job);
  if (recipe != nullptr) metadata.set("general.file_type", recipe->file_type);
  if (std::any_of(tensors.begin(), tensors.end(),
                  [](const GgufTensorSource& t) { return t.type->quant.has_value(); }))
    metadata.set("general.quantization_version", std::uint32_t{2});
  write_aside(*options.files, target, metadata, tensors);
  report.type = recipe != nullptr ? std::string(recipe->name) : "as it was";
  report.tensors = static_cast<std::int64_t>(tensors.size());
  report.bytes = options.files->size(target);
  return report;
}

}  // namespace lathe::recipes::conversion
