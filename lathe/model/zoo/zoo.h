// Constructors of the architectures in zoo_list.inc; parameters are named and allocated by build().
#pragma once

#include "lathe/model/model.h"

namespace lathe::model {
#define LATHE_MODEL(kind) std::unique_ptr<LanguageModel> make_##kind(const ModelConfig& config);
#include "lathe/model/zoo/zoo_list.inc"
#undef LATHE_MODEL
}  // namespace lathe::model
