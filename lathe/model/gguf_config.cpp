#include "lathe/model/gguf_config.h"

#include <cmath>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/model/gguf_rope.h"

namespace lathe::model {
namespace {

using weights::GgufFile;
using weights::GgufMetadata;
using weights::GgufTensor;
using weights::GgufType;
using weights::GgufValue;

constexpr const char* kWhole = "lathe.model";

struct KindFacts {
  std::string_view kind, architecture;
  bool rms;              // norms are RMSNorm, else LayerNorm
  bool head_size;        // the keys say the size of a head
  bool rotated;          // the keys say how much of a head turns
  std::int64_t pattern;  // every so manieth layer has no window, unless keys say otherwise
};
constexpr KindFacts kFacts[] = {
    {"llama", "llama", true, true, true, 0},         {"mistral", "llama", true, true, true, 0},
    {"qwen2", "qwen2", true, true, false, 0},        {"qwen3", "qwen3", true, true, false, 0},
    {"olmo2", "olmo2", true, true, false, 0},        {"smollm3", "smollm3", true, true, true, 0},
    {"phi3", "phi3", true, false, true, 0},          {"gemma2", "gemma2", true, true, false, 2},
    {"gemma3_text", "gemma3", true, true, false, 6}, {"gpt2", "gpt2", false, false, false, 0},
    {"gpt_neox", "gptneox", false, false, true, 0},
};

const KindFacts& facts_of_kind(std::string_view kind) {
  for (const KindFacts& facts : kFacts)
    if (facts.kind == kind) return facts;
  fail(ErrorCode::kUnsupported, "model.kind: '{}' has no place in GGUF files", kind);
}

const KindFacts& facts_of_architecture(std::string_view architecture) {
  std::string known;
  for (const KindFacts& facts : kFacts) {
    if (facts.architecture == architecture) return facts;
    const std::string one(facts.architecture);
    if (known.find(one) == std::string::npos) known += (known.empty() ? "" : ", ") + one;
  }
  fail(ErrorCode::kUnsupported, "architecture '{}' is not supported; there are {}", architecture,
       known);
}

/// Reads keys "<architecture>.<name>".
class Keys {
 public:
  Keys(const GgufFile& file, std::string architecture)
      : file_(file), prefix_(std::move(architecture) + ".") {}

  std::string key(const char* name) const { return prefix_ + name; }

  /// A whole number in [least, most]; `otherwise` where the key is absent, which is an error where
  /// that is negative. Lists of one number a layer are taken where all are equal.
  std::int64_t integer(const char* name, std::int64_t otherwise, std::int64_t least = 1,
                       std::int64_t most = std::int64_t{1} << 30) const {
    const GgufValue* value = file_.metadata().find(key(name));
    if (value == nullptr && otherwise < 0)
      fail(ErrorCode::kCorrupt, "{}: metadata '{}' is missing", file_.subject(), key(name));
    if (value == nullptr) return otherwise;
    if (!weights::is_integer(value->type()) || value->count() == 0)
      fail(ErrorCode::kCorrupt, "{}: metadata '{}': expected an integer, got {}", file_.subject(),
           key(name), weights::name(value->type()));
    for (std::size_t i = 0; i < value->count(); ++i) check(name, value->integer(i), least, most);
    for (std::size_t i = 1; i < value->count(); ++i)
      if (value->integer(i) != value->integer())
        fail(ErrorCode::kUnsupported, "{}: metadata '{}': layers that differ are not supported",
             file_.subject(), key(name));
    return value->integer();
  }

  double number(const char* name, double otherwise, double least, double most) const {
    const double value = file_.metadata().number(key(name)).value_or(otherwise);
    if (!(value >= least && value <= most))
      fail(ErrorCode::kCorrupt, "{}: metadata '{}': expected a number from {} to {}, got {}",
           file_.subject(), key(name), least, most, value);
    return value;
  }

 private:
  void check(const char* name, std::int64_t value, std::int64_t least, std::int64_t most) const {
    if (value < least || value > most)
      fail(ErrorCode::kCorrupt, "{}: metadata '{}': expected {} to {}, got {}", file_.subject(),
           key(name), least, most, value);
  }

  const GgufFile& file_;
  std::string prefix_;
};

/// Rows of the embedding and the width, as the tensor has them.
const GgufTensor& embedding(const GgufFile& file) {
  const GgufTensor* tensor = file.find("token_embd.weight");
  if (tensor == nullptr || tensor->shape.rank() != 2)
    fail(ErrorCode::kCorrupt, "{}: expected a tensor 'token_embd.weight' of two dimensions",
         file.subject());
  return *tensor;
}

/// gemma: which layers have a window, by a list or by a period.
std::vector<std::int64_t> read_windows(const GgufFile& file, const std::string& key,
                                       std::int64_t period, std::int64_t layers) {
  std::vector<std::int64_t> out;
  const GgufValue* value = file.metadata().find(key);
  if (value != nullptr && value->is_array()) {
    if (value->type() != GgufType::boolean || value->count() != static_cast<std::size_t>(layers))
      fail(ErrorCode::kCorrupt, "{}: metadata '{}': expected {} bools, one a layer", file.subject(),
           key, layers);
    for (std::size_t i = 0; i < value->count(); ++i) out.push_back(value->boolean(i) ? 1 : 0);
    return out;
  }
  const std::int64_t n = file.metadata().integer(key).value_or(period);
  if (n < 0 || n > layers + 1024)
    fail(ErrorCode::kCorrupt, "{}: metadata '{}': expected a small number, got {}", file.subject(),
         key, n);
  for (std::int64_t i = 0; i < layers; ++i) out.push_back(n == 0 || i % n < n - 1 ? 1 : 0);
  return out;
}

/// llama.cpp divides scores by the width of a query's share of the model where the layers are as
/// many as those of the 27B versions, and by the head size elsewhere.
double gemma_query_scalar(const ModelConfig& c) {
  const std::int64_t largest = c.kind == "gemma2" ? 46 : 62;
  return static_cast<double>(c.layers == largest ? c.width / c.heads : c.head_size);
}

void read_attention(const GgufFile& file, const Keys& keys, const KindFacts& facts,
                    ModelConfig& c) {
  c.heads = keys.integer("attention.head_count", -1, 1, 1024);
  c.kv_heads = keys.integer("attention.head_count_kv", c.heads, 1, 1024);
  const bool divides = c.width % c.heads == 0;
  c.head_size = keys.integer("attention.key_length", divides ? c.width / c.heads : -1, 1, 1024);
  if (c.heads % c.kv_heads != 0)
    fail(ErrorCode::kCorrupt, "{}: {} query heads cannot share {} key heads", file.subject(),
         c.heads, c.kv_heads);
  if (keys.integer("attention.value_length", c.head_size) != c.head_size)
    fail(ErrorCode::kUnsupported, "{}: values of another size than keys are not supported",
         file.subject());
  c.window = keys.integer("attention.sliding_window", 0, 0, 1 << 26);
  if (facts.kind == "olmo2" && c.window > 0)
    fail(ErrorCode::kUnsupported, "{}: olmo2 with a sliding window (OLMo 3) is not supported",
         file.subject());
  if (facts.pattern > 0 && (c.window > 0 || facts.kind == "gemma2")) {
    if (c.window == 0) c.window = 4096;  // what readers take for granted
    c.window_layers =
        read_windows(file, keys.key("attention.sliding_window_pattern"), facts.pattern, c.layers);
  }
  c.attention_cap = keys.number("attn_logit_softcapping", facts.kind == "gemma2" ? 50 : 0, 0, 1e6);
  c.logit_cap = keys.number("final_logit_softcapping", facts.kind == "gemma2" ? 30 : 0, 0, 1e6);
  if (facts.pattern > 0) c.query_scalar = gemma_query_scalar(c);
}

void read_positions(const GgufFile& file, const Keys& keys, ModelConfig& c) {
  if (c.kind == "gpt2") return;
  const std::int64_t rotated = keys.integer("rope.dimension_count", c.head_size, 2, c.head_size);
  if (rotated % 2 != 0)
    fail(ErrorCode::kCorrupt, "{}: metadata '{}': expected an even number, got {}", file.subject(),
         keys.key("rope.dimension_count"), rotated);
  c.rope_fraction = static_cast<double>(rotated) / static_cast<double>(c.head_size);
  c.rope_theta = keys.number("rope.freq_base", 10000, 1, 1e12);
  if (c.kind == "gemma3_text")
    c.rope_local_theta = keys.number("rope.freq_base_swa", 10000, 1, 1e12);
  c.rope_scaling = read_gguf_rope_scaling(file, c);
}

ModelConfig read_keys(const GgufFile& file) {
  const auto architecture = file.metadata().text("general.architecture");
  if (!architecture)
    fail(ErrorCode::kCorrupt, "{}: metadata 'general.architecture' is missing", file.subject());
  const KindFacts& facts = facts_of_architecture(*architecture);
  const Keys keys(file, *architecture);
  ModelConfig c;
  c.kind = facts.kind;
  c.vocab = embedding(file).rows();
  c.width = keys.integer("embedding_length", -1, 1, 1 << 16);
  c.layers = keys.integer("block_count", -1, 1, 1024);
  c.context = keys.integer("context_length", -1, 1, 1 << 26);
  c.hidden = keys.integer("feed_forward_length", 4 * c.width, 1, 1 << 20);
  c.norm_eps =
      keys.number(facts.rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
                  -1, 1e-30, 1);
  if (keys.integer("expert_count", 0, 0) > 0)
    fail(ErrorCode::kUnsupported, "{}: mixtures of experts are not supported", file.subject());
  c.parallel_residual = file.metadata().boolean(keys.key("use_parallel_residual")).value_or(true);
  c.tied = file.find("output.weight") == nullptr;
  c.attention_bias = c.kind == "gpt_neox" || file.find("blk.0.attn_output.bias") != nullptr;
  c.mlp_bias = file.find("blk.0.ffn_up.bias") != nullptr;
  read_attention(file, keys, facts, c);
  if (c.kind == "llama" && c.window > 0) c.kind = "mistral";
  read_positions(file, keys, c);
  return c;
}

/// Whether the keys that `config` would be written with stand in the file as well.
bool agrees(const ModelConfig& config, const GgufFile& file) {
  GgufMetadata wanted;
  write_gguf_config(config, wanted);
  for (const auto& [key, value] : wanted.items()) {
    const GgufValue* found = file.metadata().find(key);
    if (key != kWhole && (found == nullptr || !(*found == value))) return false;
  }
  return config.vocab == embedding(file).rows();
}

void write_windows(const ModelConfig& c, const KindFacts& facts, GgufMetadata& m) {
  const std::string prefix = std::string(facts.architecture) + ".attention.sliding_window";
  if (c.window == 0 && c.kind != "phi3") return;
  m.set(prefix, static_cast<std::uint32_t>(c.window));
  if (facts.pattern == 0) return;
  std::vector<bool> windows;
  bool usual = true;
  for (std::int64_t i = 0; i < c.layers; ++i) {
    windows.push_back(c.window_of(i) > 0);
    usual = usual && windows.back() == (i % facts.pattern < facts.pattern - 1);
  }
  if (!usual) m.set(prefix + "_pattern", GgufValue::booleans(windows));
}

}  // namespace

ModelConfig read_gguf_config(const GgufFile& file) {
  ModelConfig by_keys = read_keys(file);
  const auto text = file.metadata().text(kWhole);
  if (text) {
    ModelConfig whole;
    read_json(*text, file.subject() + ": metadata '" + kWhole + "'", whole);
    whole.resolve();
    if (agrees(whole, file)) return whole;
    log::warning("{}: the keys were changed after Lathe wrote them; going by the keys alone",
                 file.subject());
  }
  by_keys.resolve();
  return by_keys;
}

void write_gguf_config(const ModelConfig& c, GgufMetadata& m) {
  const KindFacts& facts = facts_of_kind(c.kind);
  const std::string p = std::string(facts.architecture) + ".";
  const auto u32 = [&](const char* key, std::int64_t value) {
    m.set(p + key, static_cast<std::uint32_t>(value));
  };
  const auto f32 = [&](const char* key, double value) {
    m.set(p + key, static_cast<float>(value));
  };
  if (c.kind != "gpt2" && c.rotated() % 2 != 0)
    fail(ErrorCode::kUnsupported,
         "GGUF: an odd number of elements of a head that turn ({} of {}) cannot be said",
         c.rotated(), c.head_size);
  m.set("general.architecture", facts.architecture);
  u32("block_count", c.layers);
  u32("context_length", c.context);
  u32("embedding_length", c.width);
  u32("feed_forward_length", c.hidden);
  u32("attention.head_count", c.heads);
  u32("vocab_size", c.vocab);
  f32(facts.rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon", c.norm_eps);
  if (c.kind == "gpt_neox") m.set(p + "use_parallel_residual", c.parallel_residual);
  if (facts.rms) u32("attention.head_count_kv", c.kv_heads);
  if (facts.head_size) {
    u32("attention.key_length", c.head_size);
    u32("attention.value_length", c.head_size);
  }
  if (facts.rotated) u32("rope.dimension_count", c.rotated());
  if (c.kind != "gpt2") f32("rope.freq_base", c.rope_theta);
  if (c.kind == "gemma3_text") f32("rope.freq_base_swa", c.rope_local_theta);
  if (c.attention_cap > 0) f32("attn_logit_softcapping", c.attention_cap);
  if (c.logit_cap > 0) f32("final_logit_softcapping", c.logit_cap);
  write_windows(c, facts, m);
  write_gguf_rope_scaling(c, m);
  m.set(kWhole, write_json(c));
}

std::vector<std::string> beyond_gguf(const ModelConfig& c) {
  const KindFacts& facts = facts_of_kind(c.kind);
  std::vector<std::string> out;
  const auto note = [&](bool condition, const char* text) {
    if (condition) out.emplace_back(text);
  };
  note(c.rope_scaling.kind == "dynamic", "rope_scaling 'dynamic'");
  note(facts.pattern == 0 && c.kind != "phi3" && c.window > 0 && c.window < c.context,
       "the sliding window");
  note(c.kind == "phi3" && c.window > 0 && c.window < c.context,
       "the sliding window (llama.cpp passes over that of phi3)");
  note(facts.pattern > 0 && c.query_scalar != gemma_query_scalar(c), "query_scalar");
  note(c.kind == "gemma2" && !c.tied, "an output projection that is not the embedding");
  note(c.scale_by_layer, "scale_by_layer");
  bool usual = true;
  for (std::int64_t i = 0; i < c.layers; ++i)
    usual = usual && c.turns(i) == (c.kind != "smollm3" || (i + 1) % 4 != 0);
  note(!usual, "rope_layers");
  return out;
}

}  // namespace lathe::model
