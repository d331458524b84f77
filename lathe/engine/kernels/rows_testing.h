// What the tests of row and elementwise kernels share: arrays with guarded ends, and the law that
// every instruction set and thread count gives the reference's bits.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "lathe/base/parallel.h"
#include "lathe/base/random.h"
#include "lathe/engine/kernels/float16.h"
#include "lathe/engine/kernels/isa.h"
#include "lathe/engine/tensor/view.h"

namespace lathe::kernels::testing {

/// A contiguous array with a guard of known bytes behind it.
class Array {
 public:
  Array() = default;
  Array(DType dtype, std::vector<std::int64_t> dims) : dtype_(dtype), dims_(std::move(dims)) {
    bytes_.assign(static_cast<std::size_t>(count()) * size_of(dtype) + kGuard, kPoison);
    std::memset(bytes_.data(), 0, bytes_.size() - kGuard);
  }

  /// Normal draws times `scale`, the same numbers for every dtype of one seed (up to rounding).
  static Array random(DType dtype, std::vector<std::int64_t> dims, std::uint64_t seed,
                      double scale = 1.0) {
    Array a(dtype, std::move(dims));
    const RandomStream stream(seed, "kernel tests");
    for (std::int64_t i = 0; i < a.count(); ++i) {
      const double x = scale * stream.normal(static_cast<std::uint64_t>(i));
      a.set(i, to_f32(to_bf16(static_cast<float>(x))));  // exact in every floating type
    }
    return a;
  }

  /// A copy in another floating type.
  Array as(DType dtype) const {
    Array a(dtype, dims_);
    for (std::int64_t i = 0; i < count(); ++i) a.set(i, at(i));
    return a;
  }

  std::int64_t count() const {
    std::int64_t n = 1;
    for (const std::int64_t d : dims_) n *= d;
    return n;
  }
  DType dtype() const { return dtype_; }

  View view() const {
    View v;
    v.data = const_cast<unsigned char*>(bytes_.data());
    v.rank = static_cast<int>(dims_.size());
    v.dtype = dtype_;
    std::int64_t stride = 1;
    for (int i = v.rank - 1; i >= 0; --i) {
      v.dims[i] = dims_[static_cast<std::size_t>(i)], v.strides[i] = stride;
      stride *= v.dims[i];
    }
    return v;
  }

  double at(std::int64_t i) const {
    const void* p = bytes_.data();
    switch (dtype_) {
      case DType::f32:
        return static_cast<const float*>(p)[i];
      case DType::f64:
        return static_cast<const double*>(p)[i];
      case DType::bf16:
        return to_f32(static_cast<const bf16_t*>(p)[i]);
      case DType::f16:
        return kernels::to_f32(static_cast<const f16_t*>(p)[i]);
      case DType::i32:
        return static_cast<const std::int32_t*>(p)[i];
      case DType::i8:
        return static_cast<const std::int8_t*>(p)[i];
      default:
        return static_cast<const std::uint8_t*>(p)[i];
    }
  }
  void set(std::int64_t i, double x) {
    void* p = bytes_.data();
    switch (dtype_) {
      case DType::f32:
        static_cast<float*>(p)[i] = static_cast<float>(x);
        break;
      case DType::f64:
        static_cast<double*>(p)[i] = x;
        break;
      case DType::bf16:
        static_cast<bf16_t*>(p)[i] = to_bf16(static_cast<float>(x));
        break;
      case DType::f16:
        static_cast<f16_t*>(p)[i] = to_f16(static_cast<float>(x));
        break;
      case DType::i32:
        static_cast<std::int32_t*>(p)[i] = static_cast<std::int32_t>(x);
        break;
      case DType::i8:
        static_cast<std::int8_t*>(p)[i] = static_cast<std::int8_t>(x);
        break;
      default:
        static_cast<std::uint8_t*>(p)[i] = static_cast<std::uint8_t>(x);
        break;
    }
  }
  Array& fill(double x) {
    for (std::int64_t i = 0; i < count(); ++i) set(i, x);
    return *this;
  }

  bool guard_is_intact() const {
    for (std::size_t i = bytes_.size() - kGuard; i < bytes_.size(); ++i)
      if (bytes_[i] != kPoison) return false;
    return true;
  }

  /// Bit for bit, any NaN equal to any NaN. Index of the first difference or -1.
  std::int64_t first_difference(const Array& other) const {
    const std::size_t size = size_of(dtype_);
    for (std::int64_t i = 0; i < count(); ++i) {
      const std::size_t at_byte = static_cast<std::size_t>(i) * size;
      if (std::memcmp(&bytes_[at_byte], &other.bytes_[at_byte], size) == 0) continue;
      if (!(is_float(dtype_) && std::isnan(at(i)) && std::isnan(other.at(i)))) return i;
    }
    return -1;
  }

 private:
  static constexpr std::size_t kGuard = 64;
  static constexpr unsigned char kPoison = 0xA5;
  DType dtype_ = DType::f32;
  std::vector<std::int64_t> dims_;
  std::vector<unsigned char> bytes_ = std::vector<unsigned char>(kGuard, kPoison);
};

/// Restores the instruction set.
class KeepIsa {
 public:
  KeepIsa() : isa_(isa()) {}
  ~KeepIsa() { set_isa(isa_); }

 private:
  Isa isa_;
};

/// `run` makes its inputs, calls a kernel through the dispatcher and returns what it wrote. The
/// law: bits equal to the reference's on every instruction set this machine has, on 1 and 3
/// threads.
inline void expect_one_result(const std::string& what,
                              const std::function<std::vector<Array>()>& run) {
  const KeepIsa restore;
  set_isa(Isa::reference);
  const std::vector<Array> truth = run();
  const int first = thread_count() == 1 ? 1 : 3;  // starting threads is what takes time here
  for (const int threads : {first, 4 - first}) {
    set_thread_count(threads);
    for (const Isa level : {Isa::avx2, Isa::avx512}) {
      if (!set_isa(level)) continue;
      const std::vector<Array> fast = run();
      ASSERT_EQ(truth.size(), fast.size());
      for (std::size_t k = 0; k < truth.size(); ++k) {
        ASSERT_TRUE(fast[k].guard_is_intact()) << what << ": output " << k << " overran";
        const std::int64_t i = truth[k].first_difference(fast[k]);
        ASSERT_EQ(i, -1) << what << ": output " << k << ", element " << i << " on " << name(level)
                         << ", " << threads << " threads: " << fast[k].at(i) << ", reference "
                         << truth[k].at(i);
      }
    }
  }
}

/// max |a - b| / (1 + |b|) is at most `bound`.
inline void expect_close(const Array& a, const Array& b, double bound, const std::string& what) {
  ASSERT_EQ(a.count(), b.count());
  for (std::int64_t i = 0; i < a.count(); ++i)
    ASSERT_LE(std::abs(a.at(i) - b.at(i)), bound * (1 + std::abs(b.at(i))))
        << what << ": element " << i << " is " << a.at(i) << ", expected " << b.at(i);
}

/// Checks a gradient in f64: `loss` is a function of the array, `gradient` what a backward kernel
/// gave for it; central differences along every element.
inline void expect_gradient(Array x, const Array& gradient, const std::string& what,
                            const std::function<double(const Array&)>& loss) {
  constexpr double kStep = 1e-5;
  for (std::int64_t i = 0; i < x.count(); ++i) {
    const double keep = x.at(i);
    x.set(i, keep + kStep);
    const double above = loss(x);
    x.set(i, keep - kStep);
    const double below = loss(x);
    x.set(i, keep);
    const double slope = (above - below) / (2 * kStep);
    ASSERT_NEAR(gradient.at(i), slope, 1e-7 * (1 + std::abs(slope))) << what << ": element " << i;
  }
}

/// Sum of a[i] * b[i].
inline double dot(const Array& a, const Array& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.count(); ++i) sum += a.at(i) * b.at(i);
  return sum;
}

inline const std::vector<std::int64_t>& odd_lengths() {
  static const std::vector<std::int64_t> kLengths = {0, 1, 15, 16, 17, 31, 33, 64, 100, 576, 1000};
  return kLengths;
}

}  // namespace lathe::kernels::testing
