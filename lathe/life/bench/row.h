// One line of `lathe bench`: what was measured, how fast it was, and what share of the machine's
// limits that is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lathe/base/fields.h"

namespace lathe::bench {

/// Speeds that no program exceeds here, measured on all threads (or on one).
struct Peaks {
  double f32 = 0;        // FLOP/s
  double bf16 = 0;       // FLOP/s; 0 where the processor does not multiply it
  double int8 = 0;       // multiplications and additions of bytes a second
  double bandwidth = 0;  // bytes read a second from memory, not from caches

  /// By "f32", "bf16" or "int8"; of bf16 where it is not multiplied, f32.
  double of(const std::string& numbers) const;
};

/// What one measured run did, for the figures beside its time.
struct Work {
  double tokens = 0;
  double flops = 0;  // 0: not counted
  double bytes = 0;  // of weights and KV cache, read and written; 0: not counted
};

struct Row {
  std::string work;     // "pp512", "tg128 @ d4096 x8", "load", "peak int8", ...
  std::string model;    // the path as it was opened; empty for the machine itself
  std::string weights;  // their type, of most bytes: "Q8_0", "bf16", ...
  std::string cache;    // type of the KV cache; empty: none is used
  std::int64_t batch = 1, depth = 0;
  std::int64_t threads = 0;  // 0: all, until it is reported
  std::string isa;
  double value = 0;   // median, in `unit`
  double spread = 0;  // (largest - smallest) / median
  std::string unit;
  std::vector<double> samples;
  std::optional<double> tokens_per_second, gflops, gbytes_per_second;
  std::string numbers;  // what the products were made of: f32, bf16 or int8; empty: none
  std::optional<double> share_of_compute, share_of_bandwidth;

  void fields(Fields& f);
};

/// Median of samples (of an even number, the mean of the middle two). REQUIRES: not empty.
double median(std::vector<double> samples);

/// Fills value, spread and samples of a row.
void set_samples(Row& row, std::vector<double> samples);

/// Fills rates and shares of a row from the median of `seconds` that `work` took, and the row's
/// value in tokens a second.
void set_speed(Row& row, const Work& work, const std::vector<double>& seconds, const Peaks& peaks);

}  // namespace lathe::bench
