// A few seconds of measuring, and the time that a trace will take.
#pragma once

#include "lathe/life/plan/trace.h"
#include "lathe/model/model.h"

namespace lathe::plan {

struct Calibration {
  double peak_flops = 0;       // registers alone
  double peak_int8 = 0;        // the same in int8
  double matmul_flops = 0;     // our product at the sizes of the model
  double int8_flops = 0;       // the same in int8
  double attention_flops = 0;  // forward
  double bandwidth = 0;        // bytes a second: of training read and written, of inference read

  double peak_of(const std::string& op) const;
};

/// Runs the model's own products and attention on this machine (about three seconds).
Calibration calibrate(const model::ModelConfig& config, DType compute, std::int64_t micro_tokens);

/// Limits of this machine, for inference: its peaks (about half a second).
Calibration calibrate_inference(DType compute);

/// Whether an op multiplies in int8.
bool is_int8(const std::string& op);

/// Whether an op's time follows from its FLOPs, not from its bytes: whichever would take longer.
bool limited_by_flops(const std::string& op, const OpTotals& totals, const Calibration& machine);
double predict_seconds(const std::string& op, const OpTotals& totals, const Calibration& machine);

/// Products by their measured rate, attention by its own, all else by bandwidth.
double predict_seconds(const Trace& trace, const Calibration& machine);

}  // namespace lathe::plan
