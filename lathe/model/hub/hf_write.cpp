// ModelConfig to config.json. Keys of both generations stand side by side where they differ: each
// reads its own.
#include "lathe/base/json.h"
#include "lathe/model/hub/hf_config.h"

namespace lathe::model {
namespace {

class HfWriter {
 public:
  template <typename T>
  void put(const char* key, const T& value) {
    if constexpr (std::is_same_v<T, Tree>) {
      tree_.add(key, value);
    } else {
      tree_.add(key, Tree::of(value));
    }
  }
  void put(const char* key, const char* value) { tree_.add(key, Tree::of(std::string(value))); }
  void null(const char* key) { tree_.add(key, Tree()); }
  void optional(const char* key, std::int64_t value) { value > 0 ? put(key, value) : null(key); }
  void optional(const char* key, double value) { value > 0 ? put(key, value) : null(key); }

  Tree& tree() { return tree_; }

 private:
  Tree tree_ = Tree::table();
};

const char* class_of(const std::string& kind) {
  if (kind == "gpt2") return "GPT2LMHeadModel";
  if (kind == "gpt_neox") return "GPTNeoXForCausalLM";
  if (kind == "mistral") return "MistralForCausalLM";
  if (kind == "qwen2") return "Qwen2ForCausalLM";
  if (kind == "qwen3") return "Qwen3ForCausalLM";
  if (kind == "phi3") return "Phi3ForCausalLM";
  if (kind == "gemma2") return "Gemma2ForCausalLM";
  if (kind == "gemma3_text") return "Gemma3ForCausalLM";
  if (kind == "olmo2") return "Olmo2ForCausalLM";
  if (kind == "smollm3") return "SmolLM3ForCausalLM";
  return "LlamaForCausalLM";
}

/// An object of rotary parameters; `theta` > 0: with it, as 5.x has it.
Tree rope_object(const RopeScaling& s, double theta, double fraction) {
  HfWriter w;
  w.put("rope_type", s.present() ? s.kind : std::string("default"));
  if (theta > 0) w.put("rope_theta", theta);
  if (theta > 0 && fraction < 1) w.put("partial_rotary_factor", fraction);
  if (!s.present()) return w.tree();
  if (s.kind == "longrope") {
    w.put("short_factor", s.short_factor);
    w.put("long_factor", s.long_factor);
  }
  w.put("factor", s.factor);
  if (s.kind == "llama3") {
    w.put("low_freq_factor", s.low_frequency_factor);
    w.put("high_freq_factor", s.high_frequency_factor);
  }
  if (s.kind == "yarn") {
    w.put("beta_fast", s.beta_fast);
    w.put("beta_slow", s.beta_slow);
    if (s.mscale > 0) w.put("mscale", s.mscale);
    if (s.mscale_all_dim > 0) w.put("mscale_all_dim", s.mscale_all_dim);
    w.put("truncate", s.truncate);
  }
  if (s.attention_factor > 0) w.put("attention_factor", s.attention_factor);
  if (s.kind != "linear" && s.kind != "dynamic")
    w.put("original_max_position_embeddings", s.original_context);
  return w.tree();
}

void write_rope(const ModelConfig& c, HfWriter& w) {
  const bool gemma3 = c.kind == "gemma3_text";
  w.put("rope_theta", c.rope_theta);
  if (c.rope_scaling.present()) {
    w.put("rope_scaling", rope_object(c.rope_scaling, 0, 1));
  } else {
    w.null("rope_scaling");
  }
  if (c.kind == "gpt_neox") {
    w.put("rotary_pct", c.rope_fraction);
    w.put("rotary_emb_base", c.rope_theta);
  }
  if (c.kind == "phi3") {
    w.put("partial_rotary_factor", c.rope_fraction);
    const std::int64_t original = c.rope_scaling.original_context;
    w.put("original_max_position_embeddings", original > 0 ? original : c.context);
  }
  const Tree all = rope_object(c.rope_scaling, c.rope_theta, c.rope_fraction);
  if (!gemma3) return w.put("rope_parameters", all);
  w.put("rope_local_base_freq", c.rope_local_theta);
  HfWriter nested;
  nested.put("full_attention", all);
  nested.put("sliding_attention", rope_object(c.rope_local_scaling, c.rope_local_theta, 1));
  w.put("rope_parameters", nested.tree());
}

void write_layers(const ModelConfig& c, HfWriter& w) {
  const bool qwen = c.kind == "qwen2" || c.kind == "qwen3";
  w.optional("sliding_window", c.window);
  if (c.kind == "smollm3") w.put("no_rope_layers", c.rope_layers);
  if (qwen || c.kind == "smollm3") w.put("use_sliding_window", c.window > 0);
  if (c.kind == "mistral" || c.kind == "phi3") return;
  std::vector<std::string> types;
  for (std::int64_t i = 0; i < c.layers; ++i) {
    const bool slides = c.window_of(i) > 0;
    types.emplace_back(slides ? "sliding_attention" : "full_attention");
  }
  w.put("layer_types", types);
  if (!qwen) return;
  // Older versions know a border only: exact where the layers with a window are the last ones.
  std::int64_t first = c.layers;
  while (first > 0 && c.window_of(first - 1) > 0) --first;
  w.put("max_window_layers", first);
}

void write_gpt2(const ModelConfig& c, HfWriter& w) {
  w.put("n_embd", c.width);
  w.put("n_layer", c.layers);
  w.put("n_head", c.heads);
  w.put("n_positions", c.context);
  w.put("n_inner", c.hidden);
  w.put("layer_norm_epsilon", c.norm_eps);
  w.put("scale_attn_weights", c.query_scalar != 1 || c.head_size == 1);
  w.put("scale_attn_by_inverse_layer_idx", c.scale_by_layer);
  w.put("activation_function", c.activation == "gelu_tanh" ? "gelu_new" : c.activation.c_str());
}

void write_rotary_family(const ModelConfig& c, HfWriter& w) {
  const bool neox = c.kind == "gpt_neox", gemma = c.kind.starts_with("gemma");
  w.put("hidden_size", c.width);
  w.put("num_hidden_layers", c.layers);
  w.put("num_attention_heads", c.heads);
  w.put("intermediate_size", c.hidden);
  w.put("max_position_embeddings", c.context);
  w.put(neox ? "layer_norm_eps" : "rms_norm_eps", c.norm_eps);
  const bool by_tanh = c.activation == "gelu_tanh";
  w.put(gemma ? "hidden_activation" : "hidden_act",
        by_tanh ? "gelu_pytorch_tanh" : c.activation.c_str());
  w.put("attention_bias", c.attention_bias);
  if (c.kind == "llama" || c.kind == "smollm3") w.put("mlp_bias", c.mlp_bias);
  if (neox) {
    w.put("use_parallel_residual", c.parallel_residual);
  } else {
    w.put("num_key_value_heads", c.kv_heads);
    w.put("head_dim", c.head_size);
  }
  if (gemma) {
    w.put("query_pre_attn_scalar", static_cast<std::int64_t>(c.query_scalar));
    w.optional("attn_logit_softcapping", c.attention_cap);
    w.optional("final_logit_softcapping", c.logit_cap);
  }
  write_rope(c, w);
  const bool plain = c.kind == "llama" || c.kind == "olmo2" || neox;
  if (!plain) write_layers(c, w);
}

}  // namespace

std::string write_hf_config(const HfConfig& config) {
  const ModelConfig& c = config.model;
  HfWriter w;
  w.put("architectures", std::vector<std::string>{class_of(c.kind)});
  w.put("model_type", c.kind);
  w.put("vocab_size", c.vocab);
  if (c.kind == "gpt2") {
    write_gpt2(c, w);
  } else {
    write_rotary_family(c, w);
  }
  w.put("tie_word_embeddings", c.tied);
  w.put("initializer_range", c.init_std);
  w.put("use_cache", true);
  const auto id = [&](const char* key, const std::optional<std::int64_t>& value) {
    value ? w.put(key, *value) : w.null(key);
  };
  id("bos_token_id", config.bos);
  id("pad_token_id", config.pad);
  if (config.eos.size() > 1) {
    w.put("eos_token_id", config.eos);
  } else {
    id("eos_token_id", config.eos.empty() ? std::nullopt : std::optional(config.eos[0]));
  }
  const std::string dtype = config.dtype.empty() ? "float32" : config.dtype;
  w.put("torch_dtype", dtype);
  w.put("dtype", dtype);
  return print_json(w.tree(), 2) + "\n";
}

}  // namespace lathe::model
