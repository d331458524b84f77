// Quantising by search: one block of 256 values in, one block of the type out.
#pragma once

#include <cstdint>

#include "lathe/engine/kernels/quant.h"

namespace lathe::kernels::reference {

void search_q4_k(const float* x, std::uint8_t* block);
void search_q5_k(const float* x, std::uint8_t* block);
void search_q6_k(const float* x, std::uint8_t* block);

}  // namespace lathe::kernels::reference
