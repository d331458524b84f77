// Families of zoo_list.inc: what a kind lays down in a configuration, and its network. Parameters
// are named and allocated by build().
#pragma once

#include "lathe/model/model.h"

namespace lathe::model {
#define LATHE_MODEL(kind)                    \
  void complete_##kind(ModelConfig& config); \
  std::unique_ptr<LanguageModel> make_##kind(const ModelConfig& config);
#include "lathe/model/zoo/zoo_list.inc"
#undef LATHE_MODEL
}  // namespace lathe::model
