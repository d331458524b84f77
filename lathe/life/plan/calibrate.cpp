#include "lathe/life/plan/calibrate.h"

#include <algorithm>

#include "lathe/base/clock.h"
#include "lathe/engine/ops/ops.h"
#include "lathe/life/plan/machine.h"

namespace lathe::plan {
namespace {

/// Rate of `work`, the better half of about `budget` seconds of repeats.
template <typename Work>
double rate(double flops, double budget, Work&& work) {
  work();  // memory and caches
  double best = 1e300;
  const double end = steady_clock().seconds() + budget;
  do {
    const double start = steady_clock().seconds();
    work();
    best = std::min(best, steady_clock().seconds() - start);
  } while (steady_clock().seconds() < end);
  return flops / std::max(best, 1e-9);
}

double seconds_of_flops(const std::string& op, const OpTotals& totals, const Calibration& machine) {
  if (is_int8(op)) return totals.flops / machine.int8_flops;
  if (totals.matmul) return totals.flops / machine.matmul_flops;
  return totals.flops /
         (op.starts_with("attention") ? machine.attention_flops : machine.peak_flops);
}

}  // namespace

Calibration calibrate(const model::ModelConfig& c, DType compute, std::int64_t micro_tokens) {
  Calibration machine;
  machine.peak_flops = peak_flops(compute);
  machine.peak_int8 = peak_int8_ops();
  machine.bandwidth = memory_bandwidth();
  const std::int64_t tokens = std::min<std::int64_t>(micro_tokens, 2048);
  const Tensor x = ops::full({tokens, c.width}, 0.5, compute);
  const Tensor w = ops::full({c.hidden, c.width}, 0.25, compute);
  machine.matmul_flops =
      rate(2.0 * static_cast<double>(tokens * c.width * c.hidden), 0.7, [&] { ops::linear(x, w); });
  machine.int8_flops = rate(2.0 * static_cast<double>(tokens * c.width * c.hidden), 0.7,
                            [&] { ops::linear_int8(x, w); });
  const std::int64_t t = std::min(tokens, c.context);
  const Tensor q = ops::full({1, t, c.heads, c.head_size}, 0.1, compute);
  const Tensor k = ops::full({1, t, c.kv_heads, c.head_size}, 0.1, compute);
  const Tensor start = Tensor::zeros({1, t}, DType::i32);
  machine.attention_flops = rate(2.0 * static_cast<double>(t * t * c.heads * c.head_size), 0.4,
                                 [&] { ops::attention(q, k, k, start, {.scale = 0.1}); });
  return machine;
}

Calibration calibrate_inference(DType compute) {
  Calibration machine{.peak_flops = peak_flops(compute), .peak_int8 = peak_int8_ops()};
  machine.matmul_flops = machine.attention_flops = machine.peak_flops;
  machine.int8_flops = machine.peak_int8;
  machine.bandwidth = read_bandwidth();
  return machine;
}

double Calibration::peak_of(const std::string& op) const {
  return is_int8(op) ? peak_int8 : peak_flops;
}

bool is_int8(const std::string& op) {
  return op.starts_with("linear_int8") || op == "linear_quantised" || op == "linears_quantised";
}

bool limited_by_flops(const std::string& op, const OpTotals& totals, const Calibration& machine) {
  return seconds_of_flops(op, totals, machine) > totals.bytes / machine.bandwidth;
}

double predict_seconds(const std::string& op, const OpTotals& totals, const Calibration& machine) {
  return std::max(seconds_of_flops(op, totals, machine), totals.bytes / machine.bandwidth);
}

double predict_seconds(const Trace& trace, const Calibration& machine) {
  double seconds = 0;
  for (const auto& [name, totals] : trace.ops) seconds += predict_seconds(name, totals, machine);
  return seconds;
}

}  // namespace lathe::plan
