// TensorBoard event files, written without TensorFlow.
//
// A file is a sequence of TFRecords (length, masked CRC-32C of the length, payload, masked CRC-32C
// of the payload), each payload one protocol buffer `Event`. Only the few fields that scalars and
// text need are written. Sources: tensorflow/core/util/event.proto, framework/summary.proto,
// lib/io/record_writer (the published formats).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/life/runs/metrics.h"

namespace lathe::runs {

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78).
std::uint32_t crc32c(std::string_view bytes);

/// One TFRecord around `payload`.
std::string tf_record(std::string_view payload);

struct Scalar {
  std::string_view tag;
  double value;  // stored as a 32-bit float, as TensorBoard wants it
};

/// Payloads of events. `wall_time` is in Unix seconds.
std::string version_event(double wall_time);
/// Tells TensorBoard to forget what earlier files say about `step` and later.
std::string restart_event(double wall_time, std::int64_t step);
std::string scalars_event(double wall_time, std::int64_t step, std::span<const Scalar> scalars);
/// The text is shown verbatim (as an indented block of Markdown); malformed UTF-8 is replaced.
std::string text_event(double wall_time, std::int64_t step, std::string_view tag,
                       std::string_view text);

/// The scalars of a step: loss, bits_per_byte, lr, tokens_per_second, mfu, grad_norm, valid_loss,
/// valid_bpb and the objective's own, under the names that metrics.jsonl has.
std::vector<Scalar> scalars_of(const StepMetrics& metrics);

/// One event file, of one session of training. A write that fails warns once and ends the file:
/// metrics.jsonl still has everything. Not thread safe.
class EventWriter {
 public:
  /// Opens events.out.tfevents.<time>.<host>.<pid>.<n> in `folder`. When `first_step` > 0 (a
  /// resumed run) events of that step and later in older files are declared void.
  /// Does not throw: where no file can be made it warns and writes nothing.
  EventWriter(FileSystem& files, const std::string& folder, double wall_time,
              std::int64_t first_step = 0);

  void write(double wall_time, const StepMetrics& metrics);
  void text(double wall_time, std::int64_t step, std::string_view tag, std::string_view text);
  void sync();

  /// Empty when no file could be made.
  const std::string& path() const { return path_; }

 private:
  void append(std::string_view payload);

  std::string path_;
  std::unique_ptr<FileWriter> file_;
};

}  // namespace lathe::runs
