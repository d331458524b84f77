#include "lathe/life/bench/row.h"

#include <algorithm>

#include "lathe/base/error.h"

namespace lathe::bench {

double Peaks::of(const std::string& numbers) const {
  if (numbers == "int8") return int8;
  return numbers == "bf16" && bf16 > 0 ? bf16 : f32;
}

void Row::fields(Fields& f) {
  f("work", work);
  f("model", model);
  f("weights", weights);
  f("cache", cache);
  f("batch", batch);
  f("depth", depth);
  f("threads", threads);
  f("isa", isa);
  f("value", value);
  f("unit", unit);
  f("spread", spread);
  f("samples", samples);
  f("tokens_per_second", tokens_per_second);
  f("gflops", gflops);
  f("gbytes_per_second", gbytes_per_second);
  f("numbers", numbers);
  f("share_of_compute", share_of_compute);
  f("share_of_bandwidth", share_of_bandwidth);
}

double median(std::vector<double> samples) {
  LATHE_CHECK(!samples.empty());
  std::sort(samples.begin(), samples.end());
  const std::size_t half = samples.size() / 2;
  return samples.size() % 2 == 1 ? samples[half] : (samples[half - 1] + samples[half]) / 2;
}

void set_samples(Row& row, std::vector<double> samples) {
  const auto [low, high] = std::minmax_element(samples.begin(), samples.end());
  row.value = median(samples);
  row.spread = row.value > 0 ? (*high - *low) / row.value : 0;
  row.samples = std::move(samples);
}

void set_speed(Row& row, const Work& work, const std::vector<double>& seconds, const Peaks& peaks) {
  std::vector<double> speeds;
  for (const double s : seconds) speeds.push_back(work.tokens / std::max(s, 1e-9));
  set_samples(row, std::move(speeds));
  row.unit = "tokens/s";
  row.tokens_per_second = row.value;
  const double each = std::max(median(seconds), 1e-9);
  if (work.flops > 0) {
    row.gflops = work.flops / each / 1e9;
    const double peak = peaks.of(row.numbers);
    if (!row.numbers.empty() && peak > 0) row.share_of_compute = work.flops / each / peak;
  }
  if (work.bytes > 0) {
    row.gbytes_per_second = work.bytes / each / 1e9;
    if (peaks.bandwidth > 0) row.share_of_bandwidth = work.bytes / each / peaks.bandwidth;
  }
}

}  // namespace lathe::bench
