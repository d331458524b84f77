// Arrays that benchmarks read and write, in memory as the engine gives it to tensors: large blocks
// on huge pages. Values are ordinary numbers, so that neither denormals nor NaN distort a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "lathe/base/random.h"
#include "lathe/engine/tensor/storage.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::bench {

using Dims = std::initializer_list<std::int64_t>;

/// Row major over memory of somebody else.
inline View dense(void* data, DType dtype, Dims dims) {
  View v{.data = data, .rank = static_cast<int>(dims.size()), .dtype = dtype};
  std::copy(dims.begin(), dims.end(), v.dims);
  std::int64_t stride = 1;
  for (int i = v.rank - 1; i >= 0; stride *= v.dims[i--]) v.strides[i] = stride;
  return v;
}

/// The same elements with rows and columns exchanged.
inline View turned(View v) {
  std::swap(v.dims[0], v.dims[1]);
  std::swap(v.strides[0], v.strides[1]);
  return v;
}

inline std::int64_t bytes_of(const View& v) {
  return v.count() * static_cast<std::int64_t>(size_of(v.dtype));
}

/// Bytes of all elements: what a call must move that reads or writes each of these once.
inline double bytes_of(std::initializer_list<View> views) {
  std::int64_t sum = 0;
  for (const View& v : views) sum += bytes_of(v);
  return static_cast<double>(sum);
}

/// Owns what its views point to. Arrays are dense and each has draws of its own; random ones are
/// f32 or bf16.
class Arrays {
 public:
  View zeros(DType dtype, Dims dims) {
    View v = dense(nullptr, dtype, dims);
    v.data = workspace(bytes_of(v));
    std::memset(v.data, 0, static_cast<std::size_t>(bytes_of(v)));
    return v;
  }

  /// Normal draws times `scale`.
  View normal(DType dtype, Dims dims, double scale = 1.0) {
    return fill(zeros(dtype, dims), [scale](const RandomStream& random, std::uint64_t i) {
      return scale * random.normal(i);
    });
  }

  View uniform(DType dtype, Dims dims, double low, double high) {
    return fill(zeros(dtype, dims), [low, high](const RandomStream& random, std::uint64_t i) {
      return low + (high - low) * random.uniform(i);
    });
  }

  /// i32 in [0, below).
  View ids(Dims dims, std::int64_t below) {
    const View v = zeros(DType::i32, dims);
    const RandomStream random(storages_.size(), "bench ids");
    for (std::int64_t i = 0; i < v.count(); ++i) {
      const auto index = static_cast<std::uint64_t>(i);
      v.as<std::int32_t>()[i] =
          static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(below), index));
    }
    return v;
  }

  /// Aligned to 64 bytes, contents undefined.
  void* workspace(std::int64_t bytes) {
    storages_.push_back(Storage::allocate(static_cast<std::size_t>(bytes), Device::cpu));
    return storages_.back()->data();
  }

 private:
  /// Draws are taken once and repeated, because a vocabulary of them takes seconds; a prime number
  /// of them, so that rows differ.
  template <typename Draw>
  View fill(const View& v, Draw&& draw) {
    constexpr std::int64_t kDraws = 8191;
    const RandomStream random(storages_.size(), "bench");
    std::vector<float> draws;
    for (std::int64_t i = 0; i < std::min(v.count(), kDraws); ++i)
      draws.push_back(static_cast<float>(draw(random, static_cast<std::uint64_t>(i))));
    for (std::int64_t i = 0; i < v.count(); ++i) {
      const float x = draws[static_cast<std::size_t>(i % kDraws)];
      if (v.dtype == DType::bf16) {
        v.as<bf16_t>()[i] = to_bf16(x);
      } else {
        v.as<float>()[i] = x;
      }
    }
    return v;
  }

  std::vector<std::shared_ptr<Storage>> storages_;
};

}  // namespace lathe::bench
