// Tiny models of every kind, for the tests of this folder.
#pragma once

#include "lathe/base/files.h"
#include "lathe/model/hub/hf_config.h"
#include "lathe/model/model.h"
#include "lathe/model/weights/gguf_order.h"
#include "lathe/model/weights/hf_folder.h"
#include "lathe/model/weights/row_codec.h"

namespace lathe::recipes {

inline model::ModelConfig small_config(const std::string& kind) {
  model::ModelConfig c;
  c.kind = kind;
  c.vocab = 40;
  c.context = 64;
  c.layers = 2;
  c.width = 64;
  c.heads = 4;
  c.kv_heads = kind == "gpt2" || kind == "gpt_neox" ? 4 : 2;
  c.hidden = 96;
  c.tied = kind != "olmo2";
  c.attention_bias = kind == "gpt_neox" || kind == "gpt2";
  c.mlp_bias = c.attention_bias;
  if (kind == "gpt_neox") c.rope_fraction = 0.25;
  if (kind == "gemma2" || kind == "gemma3_text" || kind == "mistral") c.window = 16;
  c.resolve();
  return c;
}

/// A folder as transformers would save it, with random weights of this type.
inline void write_model(FileSystem& files, const std::string& folder,
                        const model::ModelConfig& config, DType dtype) {
  const auto network = model::build(config, DType::f32);
  model::initialise(*network, 7);
  std::vector<weights::TensorSource> tensors;
  for (const autograd::Parameter* p : network->parameters()) {
    // Norms start as 0 or 1, biases as 0: values that would hide mistakes.
    const Tensor values = Tensor::empty(p->shape(), DType::f32);
    for (std::int64_t i = 0; i < values.count(); ++i)
      values.data<float>()[i] =
          0.1f * static_cast<float>(i % 13) + p->master().data<float>()[i] * 1.234567f;
    const Tensor stored = Tensor::empty(p->shape(), dtype);
    weights::encode_rows(weights::tensor_type(dtype), values.data<float>(), stored.bytes_begin(), 1,
                         values.count());
    tensors.push_back({p->name(), dtype, p->shape(), [stored] { return stored; }});
  }
  files.make_directories(folder);
  write_hf_weights(files, folder, tensors);
  const char* name = dtype == DType::f32 ? "float32" : "bfloat16";
  write_file_atomically(files, join_path(folder, "config.json"),
                        model::write_hf_config({.model = config, .dtype = name}));
}

}  // namespace lathe::recipes
