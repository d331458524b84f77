// Small random models for tests of generation.
#pragma once

#include "lathe/model/model.h"

namespace lathe::generate {

inline model::ModelConfig tiny_config(const std::string& kind, std::int64_t context) {
  model::ModelConfig c;
  c.kind = kind;
  c.vocab = 61;
  c.context = context;
  c.layers = 2;
  c.width = 32;
  c.heads = 4;
  c.init_std = 0.3;  // so that tokens differ
  return c;
}

inline std::unique_ptr<model::LanguageModel> random_model(model::ModelConfig c) {
  c.resolve();
  auto model = model::build(c, DType::f32);
  model::initialise(*model, 3);
  return model;
}

}  // namespace lathe::generate
