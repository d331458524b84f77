#include "lathe/model/weights/gguf_names.h"

#include <algorithm>

#include "lathe/base/error.h"

namespace lathe::weights {
namespace {

using Name = GgufFamily::Name;
constexpr GgufChange kInterleave = GgufChange::interleave;
constexpr GgufChange kByPart = GgufChange::by_part;
constexpr GgufChange kPlusOne = GgufChange::plus_one;
constexpr GgufChange kTranspose = GgufChange::transpose;

constexpr Name kLlamaWhole[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};
constexpr Name kLlama[] = {
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj", kInterleave},
    {"attn_k", "self_attn.k_proj", kInterleave},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};
constexpr Name kQwen[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_q_norm", "self_attn.q_norm"}, {"attn_k", "self_attn.k_proj"},
    {"attn_k_norm", "self_attn.k_norm"}, {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};
constexpr Name kOlmo2[] = {
    {"attn_q", "self_attn.q_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"post_attention_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
    {"post_ffw_norm", "post_feedforward_layernorm"},
};
constexpr Name kPhi3[] = {
    {"attn_norm", "input_layernorm"},    {"attn_qkv", "self_attn.qkv_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_up", "mlp.gate_up_proj"},      {"ffn_down", "mlp.down_proj"},
};
constexpr Name kGemmaWhole[] = {{"token_embd", "model.embed_tokens"},
                                {"output_norm", "model.norm", kPlusOne},
                                {"output", "lm_head"}};
constexpr Name kGemma[] = {
    {"attn_norm", "input_layernorm", kPlusOne},
    {"attn_q", "self_attn.q_proj"},
    {"attn_q_norm", "self_attn.q_norm", kPlusOne},
    {"attn_k", "self_attn.k_proj"},
    {"attn_k_norm", "self_attn.k_norm", kPlusOne},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"post_attention_norm", "post_attention_layernorm", kPlusOne},
    {"ffn_norm", "pre_feedforward_layernorm", kPlusOne},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
    {"post_ffw_norm", "post_feedforward_layernorm", kPlusOne},
};
constexpr Name kGpt2Whole[] = {{"token_embd", "transformer.wte"},
                               {"position_embd", "transformer.wpe"},
                               {"output_norm", "transformer.ln_f"},
                               {"output", "lm_head"}};
constexpr Name kGpt2[] = {
    {"attn_norm", "ln_1"},
    {"attn_qkv", "attn.c_attn", kTranspose},
    {"attn_output", "attn.c_proj", kTranspose},
    {"ffn_norm", "ln_2"},
    {"ffn_up", "mlp.c_fc", kTranspose},
    {"ffn_down", "mlp.c_proj", kTranspose},
};
constexpr Name kNeoxWhole[] = {{"token_embd", "gpt_neox.embed_in"},
                               {"output_norm", "gpt_neox.final_layer_norm"},
                               {"output", "embed_out"}};
constexpr Name kNeox[] = {
    {"attn_norm", "input_layernorm"},   {"attn_qkv", "attention.query_key_value", kByPart},
    {"attn_output", "attention.dense"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_up", "mlp.dense_h_to_4h"},    {"ffn_down", "mlp.dense_4h_to_h"},
};

constexpr GgufFamily kFamilies[] = {
    {"llama", "model.layers.", kLlamaWhole, kLlama},
    {"smollm3", "model.layers.", kLlamaWhole, kLlama},
    {"qwen2", "model.layers.", kLlamaWhole, kQwen},
    {"qwen3", "model.layers.", kLlamaWhole, kQwen},
    {"olmo2", "model.layers.", kLlamaWhole, kOlmo2},
    {"phi3", "model.layers.", kLlamaWhole, kPhi3},
    {"gemma2", "model.layers.", kGemmaWhole, kGemma},
    {"gemma3", "model.layers.", kGemmaWhole, kGemma},
    {"gpt2", "transformer.h.", kGpt2Whole, kGpt2},
    {"gptneox", "gpt_neox.layers.", kNeoxWhole, kNeox},
};

struct KindName {
  std::string_view kind, architecture;
};
// Kinds whose architecture has another name.
constexpr KindName kKinds[] = {
    {"mistral", "llama"}, {"gpt_neox", "gptneox"}, {"gemma3_text", "gemma3"}};

constexpr std::string_view kGgufLayers = "blk.";

/// "blk.12.attn_q.weight" as layer "12", stem "attn_q", suffix ".weight"; layer is empty for
/// tensors of the whole network.
struct Parsed {
  std::string_view layer, stem, suffix;
};

std::optional<Parsed> parse(std::string_view name, std::string_view layers) {
  Parsed out;
  if (name.starts_with(layers)) {
    name.remove_prefix(layers.size());
    out.layer = name.substr(0, name.find('.'));
    const bool number = !out.layer.empty() && out.layer.size() < name.size() &&
                        std::all_of(out.layer.begin(), out.layer.end(),
                                    [](char c) { return c >= '0' && c <= '9'; });
    if (!number) return {};
    name.remove_prefix(out.layer.size() + 1);
  }
  for (const std::string_view suffix : {".weight", ".bias"})
    if (name.ends_with(suffix)) {
      out.stem = name.substr(0, name.size() - suffix.size());
      out.suffix = suffix;
      return out;
    }
  return {};
}

/// Vectors are neither turned nor shifted, except that the rows of biases move with their matrix
/// and norms are vectors.
GgufChange change_of(const Name& name, std::string_view suffix) {
  const bool weight = suffix == ".weight";
  if (!weight && (name.change == kTranspose || name.change == kPlusOne)) return GgufChange::none;
  return name.change;
}

GgufLink link(const GgufFamily& family, const Name& name, const Parsed& p) {
  const auto full = [&](std::string_view layers, const char* stem) {
    std::string out;
    if (!p.layer.empty()) out.append(layers).append(p.layer).append(".");
    return out.append(stem).append(p.suffix);
  };
  return {full(kGgufLayers, name.gguf), full(family.hf_layers, name.hf), change_of(name, p.suffix)};
}

const GgufFamily* find_family(std::string_view architecture) {
  for (const GgufFamily& family : kFamilies)
    if (architecture == family.architecture) return &family;
  return nullptr;
}

}  // namespace

std::vector<GgufLink> GgufFamily::links_of_gguf(std::string_view name) const {
  const auto p = parse(name, kGgufLayers);
  if (!p) return {};
  const auto names = p->layer.empty() ? whole : layer;
  for (const Name& n : names)
    if (p->stem == n.gguf) return {link(*this, n, *p)};
  if (p->layer.empty() || p->stem != "attn_qkv") return {};
  std::vector<GgufLink> parts;
  for (const char part : {'q', 'k', 'v'})
    for (const Name& n : layer)
      if (n.gguf == std::string("attn_") + part) {
        parts.push_back(link(*this, n, *p));
        parts.back().gguf = name;
        parts.back().part = part;
      }
  return parts;
}

std::optional<GgufLink> GgufFamily::link_of_hf(std::string_view name) const {
  const auto p = parse(name, hf_layers);
  if (!p) return {};
  for (const Name& n : p->layer.empty() ? whole : layer)
    if (p->stem == n.hf) return link(*this, n, *p);
  return {};
}

const GgufFamily& family_of_architecture(std::string_view architecture) {
  if (const GgufFamily* family = find_family(architecture)) return *family;
  std::string known;
  for (const GgufFamily& family : kFamilies)
    known += (known.empty() ? "" : ", ") + std::string(family.architecture);
  fail(ErrorCode::kUnsupported, "architecture '{}' is not supported; there are {}", architecture,
       known);
}

const GgufFamily& family_of_kind(std::string_view kind) {
  for (const KindName& name : kKinds)
    if (kind == name.kind) return family_of_architecture(name.architecture);
  return family_of_architecture(kind);
}

std::int64_t hf_row(GgufChange change, std::int64_t rows, std::int64_t groups, std::int64_t row) {
  const std::int64_t head = rows / groups;  // rows of one head
  if (change == GgufChange::interleave) {
    const std::int64_t inside = row % head;
    return row - inside + inside % 2 * (head / 2) + inside / 2;
  }
  if (change == GgufChange::by_part) {
    const std::int64_t size = head / 3;  // of a head's q, k or v
    const std::int64_t part = row / (groups * size), h = row / size % groups;
    return (h * 3 + part) * size + row % size;
  }
  return row;
}

}  // namespace lathe::weights
