// What the files of kernel_bench share: a benchmark is a name, arrays, a call on them and what the
// call costs. Shapes are those of SmolLM2-135M.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "bench/arrays.h"
#include "lathe/engine/kernels/isa.h"

namespace lathe::bench {

constexpr std::int64_t kTokens = 1024, kWidth = 576, kHidden = 1536, kVocabulary = 49152;
constexpr std::int64_t kHeads = 9, kKvHeads = 3, kHeadSize = 64;

/// Costs that are 0 are not reported.
struct Call {
  std::function<void()> run;
  double bytes = 0;  // to read and write once
  double flops = 0;  // two a multiply-add; also of products of integers
};

/// Adds a benchmark "family/kind/types". `prepare` makes its arrays when its turn has come.
void add(const std::string& name, std::function<Call(Arrays&)> prepare);

/// "name/f32"
inline std::string with(const std::string& name, DType dtype) {
  return name + "/" + std::string(lathe::name(dtype));
}

void add_peaks();
void add_products();
void add_quantised();
void add_attention();
void add_rows();
void add_elements();
void add_optimizers();

}  // namespace lathe::bench
