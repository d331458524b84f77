// Any bytes as metrics.jsonl: reading does not fail, steps ascend, and what a resume keeps is read
// again without a problem and does not change when kept again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lathe/life/runs/metrics.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lathe::runs;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const MetricsFile file = parse_metrics(text);
  for (std::size_t i = 1; i < file.rows.size(); ++i) {
    if (file.rows[i - 1].step >= file.rows[i].step) std::abort();
  }
  for (const StepMetrics& row : file.rows) {
    if (parse_metrics(to_json_line(row)).rows.size() != 1) std::abort();
  }
  const std::string kept = keep_until(text, 5);
  const MetricsFile again = parse_metrics(kept);
  if (again.problem_count != 0) std::abort();
  if (!again.rows.empty() && again.rows.back().step > 5) std::abort();
  if (keep_until(kept, 5) != kept) std::abort();
  return 0;
}
