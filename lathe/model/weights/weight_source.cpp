#include "lathe/model/weights/weight_source.h"

#include <algorithm>

namespace lathe::weights {

DType main_dtype(const WeightSource& source) {
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16};
  std::size_t bytes[std::size(kTypes)] = {};
  for (const std::string& name : source.names()) {
    const StoredFacts facts = source.facts(name);
    const DType type = facts.quant ? DType::f32 : facts.dtype.value_or(DType::u8);
    for (std::size_t i = 0; i < std::size(kTypes); ++i)
      if (type == kTypes[i]) bytes[i] += facts.bytes;
  }
  return kTypes[std::max_element(std::begin(bytes), std::end(bytes)) - bytes];
}

}  // namespace lathe::weights
