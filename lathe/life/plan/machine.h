// What this machine can do: instruction set, peak FLOP/s, memory bandwidth.
#pragma once

#include <string>

#include "lathe/engine/tensor/dtype.h"

namespace lathe::plan {

/// True where the instruction set in use multiplies bf16 (AVX512-BF16).
bool multiplies_bf16();

/// "avx2", "avx512", "avx512_bf16".
std::string instruction_set();

/// Highest FLOP/s of all threads on registers alone, best of many short runs (about 0.1 s).
double peak_flops(DType compute);

/// The same for products of bytes added up in 32 bits: vpdpbusd where the instruction set in use
/// has it, else vpmaddubsw, vpmaddwd and vpaddd.
double peak_int8_ops();

/// Bytes a second that all threads read and write together over memory larger than the caches.
double memory_bandwidth();

/// Bytes a second that all threads only read, over memory larger than the caches.
double read_bandwidth();

}  // namespace lathe::plan
