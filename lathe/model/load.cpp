#include "lathe/model/load.h"

#include <algorithm>
#include <set>

#include "lathe/base/error.h"
#include "lathe/base/parallel.h"

namespace lathe::model {
namespace {

using weights::StoredFacts;
using weights::StoredTensor;
using weights::WeightSource;

bool is_head(const std::string& name) {
  return name == "lm_head.weight" || name == "embed_out.weight";
}

/// The name under which the source has a parameter: its own; the other name of the head; or the one
/// without the base model's prefix ("transformer.wte.weight" as "wte.weight"), as a model without
/// head is saved.
std::string stored_name(const WeightSource& source, const std::string& name) {
  if (source.contains(name)) return name;
  if (name == "embed_out.weight" && source.contains("lm_head.weight")) return "lm_head.weight";
  const std::string inner = name.substr(name.find('.') + 1);
  return !is_head(name) && source.contains(inner) ? inner : name;
}

/// Tensors that older versions of transformers saved and that hold no weights.
bool is_buffer(const std::string& name) {
  for (const char* end : {".attn.bias", ".attn.masked_bias", ".attention.bias",
                          ".attention.masked_bias", "rotary_emb.inv_freq"})
    if (name.ends_with(end)) return true;
  return false;
}

/// Calls use(parameter, name of the tensor) for each parameter; every tensor of the source must be
/// used.
template <typename Use>
void match(LanguageModel& model, const WeightSource& source, const Use& use) {
  std::set<std::string> used;
  for (autograd::Parameter* p : model.parameters()) {
    const std::string name = stored_name(source, p->name());
    if (!source.contains(name))
      fail(ErrorCode::kNotFound, "{}: has no tensor '{}', expected {}{}", source.file_of(name),
           p->name(), to_string(p->shape()),
           is_head(p->name()) ? "; is the head tied to the embedding (tie_word_embeddings)?" : "");
    const StoredFacts stored = source.facts(name);
    if (stored.shape != p->shape())
      fail(ErrorCode::kShapeMismatch, "{}: tensor '{}': expected {}, found {}",
           source.file_of(name), name, to_string(p->shape()), to_string(stored.shape));
    if (!stored.quant && !(stored.dtype && is_float(*stored.dtype)))
      fail(ErrorCode::kUnsupported, "{}: tensor '{}': expected f32, bf16 or f16, found {}",
           source.file_of(name), name, stored.type);
    use(*p, name);
    used.insert(name);
  }
  for (const std::string& name : source.names()) {
    if (used.contains(name) || is_buffer(name)) continue;
    if (is_head(name) && model.config().tied) continue;
    fail(ErrorCode::kCorrupt, "{}: tensor '{}' is not part of a {} of this configuration",
         source.file_of(name), name, model.config().kind);
  }
}

Tensor dequantised(const StoredTensor& stored) {
  const Tensor out = Tensor::empty(stored.shape, DType::f32);
  const std::int64_t rows = stored.tensor.dim(0), columns = stored.shape.at(-1);
  const auto* blocks = reinterpret_cast<const char*>(stored.tensor.bytes_begin());
  const std::int64_t bytes = kernels::row_bytes(*stored.quant, columns);
  parallel_for(rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      kernels::dequantise_row(*stored.quant, blocks + r * bytes, out.data<float>() + r * columns,
                              columns);
  });
  return out;
}

}  // namespace

std::unique_ptr<LanguageModel> open_for_inference(const ModelConfig& config,
                                                  const WeightSource& source, DType compute) {
  auto model = build_empty(config, compute);
  match(*model, source, [&](autograd::Parameter& p, const std::string& name) {
    const StoredTensor stored = source.for_product(name);
    if (stored.quant) {
      p.load_quantised(stored.tensor, *stored.quant);
    } else {
      p.adopt(stored.tensor, compute);
    }
  });
  return model;
}

void copy_weights(LanguageModel& model, const WeightSource& source) {
  match(model, source, [&](autograd::Parameter& p, const std::string& name) {
    const StoredTensor stored = source.get(name);
    p.load(stored.quant ? dequantised(stored) : stored.tensor);
  });
}

}  // namespace lathe::model
