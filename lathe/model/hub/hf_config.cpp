#include "lathe/model/hub/hf_config.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/model/hub/hf_keys.h"

namespace lathe::model {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// Settings that would compute something else than we do.
void refuse_foreign(const HfKeys& keys) {
  const auto refuse = [&](const char* key) {
    fail(ErrorCode::kUnsupported, "{}: {} is set, which is not supported", keys.source(), key);
  };
  if (keys.find("quantization_config") != nullptr)
    fail(ErrorCode::kUnsupported,
         "{}: quantization_config: weights packed by another program cannot be opened; take the "
         "unquantised model or a GGUF file",
         keys.source());
  for (const char* key : {"use_bidirectional_attention", "add_cross_attention"})
    if (keys.boolean(key, false)) refuse(key);
}

std::string read_activation(const HfKeys& keys, const ModelConfig& c) {
  const char* key = c.kind == "gpt2" ? "activation_function" : "hidden_act";
  const bool gemma = c.kind.starts_with("gemma");
  if (gemma) key = "hidden_activation";
  const std::string name = keys.text(key, "");
  // gelu_fast is gelu_new with its factors multiplied out.
  if (name == "silu" || name == "swish") return "silu";
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast") return "gelu_tanh";
  if (name.empty() || name == "gelu" || name == "relu") return name;
  fail(ErrorCode::kUnsupported,
       "{}: {}: expected silu, gelu, gelu_new, gelu_pytorch_tanh or relu, found \"{}\"",
       keys.source(), key, name);
}

/// The scaling that an object of rotary parameters describes; its theta goes to `theta`.
RopeScaling read_scaling(const HfKeys& top, const HfKeys& rope, const std::string& kind,
                         double* theta) {
  RopeScaling s;
  *theta = rope.number("rope_theta", *theta);
  std::string type = rope.text("rope_type", rope.text("type", "default"));
  if (type == "su" || (kind == "phi3" && type == "yarn")) type = "longrope";
  if (type == "default" || type == "none") return s;
  const std::vector<std::string> known = {"linear", "dynamic", "yarn", "llama3", "longrope"};
  if (std::find(known.begin(), known.end(), type) == known.end())
    fail(ErrorCode::kUnsupported, "{}: rope_type: expected default, {}, found \"{}\"",
         rope.source(), joined(known), type);
  s.kind = type;
  s.factor = rope.number("factor", 0);
  if (s.factor == 0 && (type == "linear" || type == "dynamic" || type == "llama3"))
    fail(ErrorCode::kInvalidArgument, "{}: factor: {} needs one, found none", rope.source(), type);
  s.original_context = rope.integer("original_max_position_embeddings", 0);
  // A value at the top comes first, as transformers has it.
  s.original_context = top.integer("original_max_position_embeddings", s.original_context);
  if (type == "dynamic") s.original_context = 0;
  s.attention_factor = rope.number("attention_factor", 0);
  s.low_frequency_factor = rope.number("low_freq_factor", s.low_frequency_factor);
  s.high_frequency_factor = rope.number("high_freq_factor", s.high_frequency_factor);
  s.beta_fast = rope.number("beta_fast", s.beta_fast);
  s.beta_slow = rope.number("beta_slow", s.beta_slow);
  s.mscale = rope.number("mscale", 0);
  s.mscale_all_dim = rope.number("mscale_all_dim", 0);
  s.truncate = rope.boolean("truncate", true);
  s.short_factor = rope.numbers("short_factor");
  s.long_factor = rope.numbers("long_factor");
  return s;
}

void read_rope(const HfKeys& keys, ModelConfig& c) {
  c.rope_theta = keys.number("rope_theta", c.rope_theta);
  if (c.kind == "gpt_neox") {
    c.rope_theta = keys.number("rotary_emb_base", c.rope_theta);
    c.rope_fraction = keys.number("rotary_pct", 0.25);
  }
  if (c.kind == "gemma3_text") c.rope_local_theta = keys.number("rope_local_base_freq", 1e4);
  const bool partial = c.kind == "gpt_neox" || c.kind == "phi3";
  if (partial) c.rope_fraction = keys.number("partial_rotary_factor", c.rope_fraction);
  const auto parameters = keys.object("rope_parameters");
  const auto full = parameters ? parameters->object("full_attention") : std::nullopt;
  const auto sliding = parameters ? parameters->object("sliding_attention") : std::nullopt;
  if (sliding) {
    if (c.rope_local_theta == 0) c.rope_local_theta = c.rope_theta;
    c.rope_local_scaling = read_scaling(keys, *sliding, c.kind, &c.rope_local_theta);
  }
  const bool nested = full.has_value() || sliding.has_value();
  if (full) c.rope_scaling = read_scaling(keys, *full, c.kind, &c.rope_theta);
  const auto scaling = keys.object("rope_scaling");
  const auto& flat = scaling ? scaling : parameters;
  if (!flat || (nested && !scaling)) return;
  c.rope_scaling = read_scaling(keys, *flat, c.kind, &c.rope_theta);
  if (partial) c.rope_fraction = flat->number("partial_rotary_factor", c.rope_fraction);
}

/// Which layers have a window, and which rotary positions.
void read_layers(const HfKeys& keys, const HfDefaults& d, ModelConfig& c) {
  c.window = keys.has("sliding_window") ? keys.integer("sliding_window", 0) : d.window;
  const std::vector<std::string> types = keys.texts("layer_types");
  const bool qwen = c.kind == "qwen2" || c.kind == "qwen3", smollm = c.kind == "smollm3";
  const bool gemma = c.kind.starts_with("gemma");
  if (smollm) {
    c.rope_layers = keys.integers("no_rope_layers");  // despite its name: 1 has positions
    const std::int64_t every = keys.integer("no_rope_layer_interval", 4);
    for (std::int64_t i = 0; keys.find("no_rope_layers") == nullptr && i < c.layers; ++i)
      c.rope_layers.push_back(every == 0 || (i + 1) % every != 0 ? 1 : 0);
  }
  if (qwen && !keys.boolean("use_sliding_window", false)) c.window = 0;
  if (smollm && types.empty() && !keys.boolean("use_sliding_window", false)) c.window = 0;
  if ((qwen || smollm || gemma) && !types.empty()) {
    for (const std::string& type : types) {
      if (type != "sliding_attention" && type != "full_attention")
        fail(ErrorCode::kUnsupported,
             "{}: layer_types: expected sliding_attention or full_attention, found \"{}\"",
             keys.source(), type);
      c.window_layers.push_back(type == "sliding_attention" ? 1 : 0);
    }
    return;
  }
  const std::int64_t pattern = keys.integer("sliding_window_pattern", 6);
  for (std::int64_t i = 0; i < c.layers; ++i) {
    if (qwen) c.window_layers.push_back(i >= keys.integer("max_window_layers", 28) ? 1 : 0);
    if (smollm) c.window_layers.push_back(c.rope_layers[static_cast<std::size_t>(i)] == 0 ? 1 : 0);
    if (c.kind == "gemma3_text")
      c.window_layers.push_back(pattern > 0 && (i + 1) % pattern != 0 ? 1 : 0);
  }
}

void read_sizes(const HfKeys& keys, const HfDefaults& d, ModelConfig& c) {
  const bool gpt2 = c.kind == "gpt2";
  const auto named = [gpt2](const char* plain, const char* old) { return gpt2 ? old : plain; };
  c.vocab = keys.integer("vocab_size", d.vocab);
  c.width = keys.integer(named("hidden_size", "n_embd"), d.width);
  c.layers = keys.integer(named("num_hidden_layers", "n_layer"), d.layers);
  c.heads = keys.integer(named("num_attention_heads", "n_head"), d.heads);
  c.context = keys.integer(named("max_position_embeddings", "n_positions"), d.context);
  c.hidden = keys.integer(named("intermediate_size", "n_inner"), d.hidden);
  c.tied = keys.boolean("tie_word_embeddings", d.tied);
  const bool layer_norm = gpt2 || c.kind == "gpt_neox";
  const char* eps = gpt2 ? "layer_norm_epsilon" : layer_norm ? "layer_norm_eps" : "rms_norm_eps";
  c.norm_eps = keys.number(eps, d.norm_eps);
  c.init_std = keys.number("initializer_range", 0.02);
  if (!layer_norm) {
    const std::int64_t kv = keys.has("num_key_value_heads") ? 0 : d.kv_heads;
    c.kv_heads = keys.integer("num_key_value_heads", kv);
    const std::int64_t size = keys.has("head_dim") ? 0 : d.head_size;
    c.head_size = keys.integer("head_dim", size);
  }
  c.rope_theta = d.theta;
}

/// What only some families have.
void read_extras(const HfKeys& keys, ModelConfig& c) {
  c.activation = read_activation(keys, c);
  c.attention_bias = keys.boolean("attention_bias", c.kind == "gpt_neox");
  c.mlp_bias = (c.kind == "llama" || c.kind == "smollm3") && keys.boolean("mlp_bias", false);
  if (c.kind.starts_with("gemma")) {
    const bool second = c.kind == "gemma2";
    c.query_scalar = keys.number("query_pre_attn_scalar", 256);
    const auto cap = [&](const char* key, double fallback) {
      return keys.has(key) ? keys.number(key, 0) : fallback;
    };
    // Gemma 3 carries the keys of Gemma 2 but its attention has no cap.
    c.attention_cap = second ? cap("attn_logit_softcapping", 50) : 0;
    c.logit_cap = cap("final_logit_softcapping", second ? 30 : 0);
  }
  if (c.kind == "gpt_neox") c.parallel_residual = keys.boolean("use_parallel_residual", true);
  if (c.kind == "gpt2") {
    c.scale_by_layer = keys.boolean("scale_attn_by_inverse_layer_idx", false);
    if (!keys.boolean("scale_attn_weights", true)) c.query_scalar = 1;
  }
}

}  // namespace

HfConfig read_hf_config(const std::string& text, const std::string& source) {
  const Tree tree = parse_json(text, source);
  if (tree.kind != Tree::Kind::table)
    fail(ErrorCode::kCorrupt, "{}: expected a JSON object, found {}", source, describe(tree));
  const HfKeys keys(tree, source);
  HfConfig out;
  ModelConfig& c = out.model;
  c.kind = keys.text("model_type", "");
  const HfDefaults* defaults = hf_defaults(c.kind);
  if (defaults == nullptr)
    fail(ErrorCode::kUnsupported, "{}: model_type: expected one of {}, found \"{}\"", source,
         joined(kinds()), c.kind);
  refuse_foreign(keys);
  read_sizes(keys, *defaults, c);
  if (c.layers < 1 || c.layers > 1024)
    fail(ErrorCode::kInvalidArgument, "{}: layers: expected 1 to 1024, found {}", source, c.layers);
  read_extras(keys, c);
  read_rope(keys, c);
  read_layers(keys, *defaults, c);
  out.eos = keys.integers("eos_token_id");
  if (keys.find("bos_token_id") != nullptr) out.bos = keys.integer("bos_token_id", 0);
  if (keys.find("pad_token_id") != nullptr) out.pad = keys.integer("pad_token_id", 0);
  out.dtype = keys.text("dtype", keys.text("torch_dtype", ""));
  try {
    ModelConfig checked;  // ranges are those of the [model] table
    read_tree(write_tree(fields_of(c)), "model", fields_of(checked));
    c.resolve();
  } catch (Error& error) {
    error.within(source);
    throw;
  }
  return out;
}

}  // namespace lathe::model
