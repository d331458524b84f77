#include "lathe/life/runs/run_recorder.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/base/format.h"
#include "lathe/base/log.h"
#include "lathe/life/runs/loss_plot.h"

namespace lathe::runs {
namespace {

constexpr double kIndexSeconds = 5, kPlotSeconds = 60;

// The record of the run so far: run.json where there is one, with the numbers of the kept metrics.
RunRecord first_record(const RecorderOptions& options) {
  const bool resumed = options.resume_step.has_value();
  RunRecord record;
  const std::string folder = canonical_folder(options.folder);
  if (resumed) record = load_record(*options.files, folder).value_or(RunRecord());
  record.folder = folder;
  record.name = options.name.empty() ? file_name(folder) : options.name;
  record.config = options.config;
  record.commit = options.commit;
  record.parameters = options.parameters;
  record.total_tokens = options.display.total_tokens;
  record.message.clear();
  record.loss.reset();
  record.valid_bpb.reset();
  record.best_valid_bpb.reset();
  record.step = record.tokens = 0;
  if (!resumed) return record;
  const MetricsFile kept = read_metrics(*options.files, join_path(folder, "metrics.jsonl"));
  for (const StepMetrics& row : kept.rows) record.take_step(row);
  return record;
}

class NoOutput final : public ProgressOutput {
 public:
  bool is_terminal() const override { return false; }
  void write(std::string_view) override {}
};

DisplayOptions display_of(const RecorderOptions& options, const RunRecord& record) {
  DisplayOptions display = options.display;
  display.start_tokens = std::max(display.start_tokens, record.tokens);
  static NoOutput no_output;
  if (options.quiet) display.out = &no_output;
  if (!display.best_valid_bpb) display.best_valid_bpb = record.best_valid_bpb;
  return display;
}

// What the subtitle of the plot says.
std::string subtitle_of(const RunRecord& record) {
  std::string out = record.config;
  if (record.parameters > 0) {
    const std::string count = human_count(static_cast<double>(record.parameters));
    out += fmt::format("{}{} parameters", out.empty() ? "" : "  ·  ", count);
  }
  const std::string tokens = human_count(static_cast<double>(record.tokens));
  return out + fmt::format("{}{} tokens", out.empty() ? "" : "  ·  ", tokens);
}

}  // namespace

RunRecorder::RunRecorder(const RecorderOptions& options)
    : options_(options),
      metrics_(*options.files, join_path(options.folder, "metrics.jsonl"),
               options.resume_step.value_or(-1)),
      record_(first_record(options)),
      display_options_(display_of(options, record_)),
      display_(display_options_),
      events_(*options.files, options.folder, unix_seconds(),
              options.resume_step ? *options.resume_step + 1 : 0) {
  if (options.quiet) return;
  index_.emplace(options.index_path);
  index_->begin(record_, options.resume_step.has_value());
  store_record();
}

RunRecorder::~RunRecorder() {
  if (!done_) finish(RunStatus::kFailed, "ended by an error");
}

void RunRecorder::step(const StepMetrics& metrics) {
  metrics_.write(metrics);
  events_.write(unix_seconds(), metrics);
  record_.take_step(metrics);
  display_.update(metrics);
  const double now = options_.display.clock->seconds();
  const bool due = now - indexed_at_ >= kIndexSeconds || metrics.valid_bpb;
  if (!index_ || !due) return;
  indexed_at_ = now;
  record_.updated = static_cast<std::int64_t>(unix_seconds());
  index_->update(record_);
}

void RunRecorder::sample(std::int64_t step, std::string_view text) {
  display_.sample(step, text);
  events_.text(unix_seconds(), step, "sample", text);
}

void RunRecorder::checkpoint() {
  metrics_.sync();
  events_.sync();
  store_record();
  draw_plot(false);
}

void RunRecorder::finish(RunStatus status, std::string_view message) {
  if (done_) return;
  done_ = true;
  record_.status = name(status);
  record_.message = message;
  display_.finish();
  metrics_.sync();
  events_.sync();
  store_record();
  draw_plot(true);
  if (index_) index_->finish(record_);
}

void RunRecorder::store_record() {
  if (options_.quiet) return;
  record_.updated = static_cast<std::int64_t>(unix_seconds());
  try {
    save_record(*options_.files, record_);
  } catch (const Error& e) {
    if (!warned_) log::warning("{}; training goes on", e.message());
    warned_ = true;
  }
}

void RunRecorder::draw_plot(bool now) {
  if (options_.quiet) return;
  const double begin = options_.display.clock->seconds();
  // A plot of a very long run takes seconds: never more than a twentieth of the time.
  const double pause = std::max(kPlotSeconds, 20 * plot_seconds_);
  if (!now && begin - plotted_at_ < pause) return;
  try {
    write_plot(*options_.files, record_.folder);
  } catch (const Error& e) {
    if (!warned_) log::warning("{}; training goes on without the plot", e.message());
    warned_ = true;
  }
  plotted_at_ = options_.display.clock->seconds();
  plot_seconds_ = plotted_at_ - begin;
}

std::string write_plot(FileSystem& files, const std::string& folder, std::string path) {
  PlotRun run;
  PlotOptions options;
  if (const auto record = load_record(files, folder)) {
    run.name = record->name;
    options.subtitle = subtitle_of(*record);
  }
  if (run.name.empty()) run.name = file_name(canonical_folder(folder));
  run.rows = read_metrics(files, join_path(folder, "metrics.jsonl")).rows;
  if (path.empty()) path = join_path(folder, "loss.svg");
  write_file_atomically(files, path, plot_svg({&run, 1}, options));
  return path;
}

}  // namespace lathe::runs
