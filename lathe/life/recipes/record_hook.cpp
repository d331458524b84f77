#include "lathe/life/recipes/record_hook.h"

#include "lathe/base/clock.h"
#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/life/runs/loss_plot.h"
#include "lathe/life/train/trainer.h"

namespace lathe::recipes {
namespace {

constexpr double kIndexSeconds = 5;  // between updates of the index

runs::DisplayOptions display_options(std::int64_t total, std::int64_t start) {
  runs::DisplayOptions options;
  options.total_tokens = total;
  options.start_tokens = start;
  return options;
}

}  // namespace

RecordHook::RecordHook(Options options)
    : options_(std::move(options)),
      metrics_(*options_.files, join_path(options_.record.folder, "metrics.jsonl"),
               options_.first_step > 0 ? options_.first_step : -1),
      events_(*options_.files, options_.record.folder, unix_seconds(),
              options_.first_step > 0 ? options_.first_step + 1 : 0) {
  if (options_.quiet) return;
  index_ = std::make_unique<runs::RunIndex>();
  options_.record.set_process(runs::this_process());
  index_->begin(options_.record, options_.first_step > 0);
  runs::save_record(*options_.files, options_.record);
  display_ = std::make_unique<runs::TrainDisplay>(
      display_options(options_.record.total_tokens, options_.first_tokens));
}

RecordHook::~RecordHook() = default;

void RecordHook::on_step(train::Trainer&, runs::StepMetrics& metrics) {
  if (options_.peak_flops > 0)
    metrics.mfu = metrics.tokens_per_second * options_.flops_per_token / options_.peak_flops;
  metrics_.write(metrics);
  events_.write(unix_seconds(), metrics);
  options_.record.take_step(metrics);
  last_ = metrics;
  if (display_) display_->update(metrics);
  if (index_ && unix_seconds() - indexed_at_ > kIndexSeconds) {
    index_->update(options_.record);
    indexed_at_ = unix_seconds();
  }
  if (options_.sample && options_.sample_every > 0 && metrics.step % options_.sample_every == 0) {
    const std::string text = options_.sample();
    if (display_) display_->sample(metrics.step, text);
    events_.text(unix_seconds(), metrics.step, "sample", text);
  }
}

void RecordHook::sync() {
  metrics_.sync();
  events_.sync();
}

void RecordHook::plot() const {
  try {
    const std::string path = join_path(options_.record.folder, "metrics.jsonl");
    const runs::PlotRun run{options_.record.name,
                            runs::read_metrics(*options_.files, path).rows};
    write_file_atomically(*options_.files, join_path(options_.record.folder, "loss.svg"),
                          runs::plot_svg({&run, 1}));
  } catch (const Error& e) {  // a picture is no reason to fail a run
    log::warning("loss.svg: {}", e.message());
  }
}

void RecordHook::on_end(train::Trainer&, bool finished) {
  sync();
  plot();
  if (display_) display_->finish();
  if (!index_) return;
  options_.record.status = finished ? "finished" : "stopped";
  index_->finish(options_.record);
  runs::save_record(*options_.files, options_.record);
}

void RecordHook::failed(const std::string& message) {
  if (display_) display_->finish();
  if (!index_) return;
  options_.record.status = "failed";
  options_.record.message = message;
  index_->finish(options_.record);
  try {
    runs::save_record(*options_.files, options_.record);
  } catch (const Error&) {  // the disk may be what failed
  }
}

}  // namespace lathe::recipes
