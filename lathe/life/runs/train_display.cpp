#include "lathe/life/runs/train_display.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "lathe/base/format.h"
#include "lathe/life/runs/format.h"
#include "lathe/life/runs/progress_line.h"
#include "lathe/life/runs/text.h"

namespace lathe::runs {
namespace {

std::string percent(double share) {
  const double value = share * 100;
  return fmt::format("{:.{}f}%", value, value < 9.95 ? 1 : 0);
}

// "12m04s" from "12 min 04 s".
std::string brief_duration(std::string text) {
  const std::size_t minutes = text.find("min");
  if (minutes != std::string::npos) text.replace(minutes, 3, "m");
  std::erase(text, ' ');
  return text;
}

// The facts that the live line and the plain one share.
std::vector<Fact> facts_of(const StepMetrics& m, const std::optional<double>& valid_bpb) {
  std::vector<Fact> facts;
  facts.push_back({"loss", human_loss(m.loss), "", 100});
  if (m.bits_per_byte) {
    facts.push_back({"", human_loss(*m.bits_per_byte), " bits/byte", 90, "bpb", ""});
  }
  if (valid_bpb) facts.push_back({"valid", human_loss(*valid_bpb), "", 15});
  facts.push_back({"lr", human_lr(m.lr), "", 60});
  facts.push_back({"", human_count(m.tokens_per_second), " tok/s", 80});
  if (m.mfu) facts.push_back({"MFU", percent(*m.mfu), "", 70});
  if (m.memory_bytes) {
    facts.push_back({"", human_bytes(static_cast<double>(*m.memory_bytes)), "", 50});
  }
  return facts;
}

}  // namespace

TrainDisplay::TrainDisplay(const DisplayOptions& options)
    : options_(options),
      started_(options.clock->seconds()),
      line_(*options.out, *options.clock),
      best_bpb_(options.best_valid_bpb) {}

TrainDisplay::~TrainDisplay() { finish(); }

std::optional<double> TrainDisplay::eta_seconds() const {
  const double done = static_cast<double>(last_.tokens - options_.start_tokens);
  const double elapsed = options_.clock->seconds() - started_;
  const double left = static_cast<double>(options_.total_tokens - last_.tokens);
  if (options_.total_tokens <= 0 || done <= 0 || elapsed <= 0 || left <= 0) return std::nullopt;
  return left * elapsed / done;  // validation and checkpoints included
}

std::string TrainDisplay::live_line() const {
  double share = -1;
  std::vector<Fact> facts;
  if (options_.total_tokens > 0) {
    share = static_cast<double>(last_.tokens) / static_cast<double>(options_.total_tokens);
    facts.push_back({"", fmt::format("{:3.0f}%", std::floor(share * 100)), "", 40});
  }
  facts.push_back({"step", grouped(last_.step), "", 10});
  for (Fact& fact : facts_of(last_, valid_bpb_)) facts.push_back(std::move(fact));
  if (const auto eta = eta_seconds()) {
    facts.push_back({"ETA", brief_duration(human_duration(*eta)), "", 85});
  }
  return fit_line(facts, std::max(10, options_.out->width() - 1), share);
}

std::string TrainDisplay::plain_line() const {
  std::string line = fmt::format("step {}  {}", grouped(last_.step),
                                 human_count(static_cast<double>(last_.tokens)));
  if (options_.total_tokens > 0) {
    const double share =
        static_cast<double>(last_.tokens) / static_cast<double>(options_.total_tokens);
    line += fmt::format("/{} tokens ({:.1f}%)",
                        human_count(static_cast<double>(options_.total_tokens)), share * 100);
  } else {
    line += " tokens";
  }
  for (const Fact& fact : facts_of(last_, std::nullopt)) {
    line += "  " + fact.label + (fact.label.empty() ? "" : " ") + fact.value + fact.unit;
  }
  if (const auto eta = eta_seconds()) line += "  ETA " + human_duration(*eta);
  return line;
}

void TrainDisplay::update(const StepMetrics& metrics) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (finished_) return;
  last_ = metrics;
  any_ = true;
  if (!metrics.skipped.empty()) {
    above(fmt::format("step {} skipped: {}", grouped(metrics.step), printable(metrics.skipped)));
  }
  show();
  if (metrics.valid_bpb) above_validation();
}

void TrainDisplay::show() {
  if (options_.out->is_terminal()) return line_.show(live_line());
  const double now = options_.clock->seconds();
  const bool due = options_.plain_steps > 0 ? last_.step - shown_step_ >= options_.plain_steps
                                            : now - shown_at_ >= options_.plain_seconds;
  const bool first = shown_at_ == -1e300;
  if (!first && !due) return;
  shown_at_ = now;
  shown_step_ = last_.step;
  line_.finish(plain_line());
}

void TrainDisplay::above_validation() {
  valid_bpb_ = last_.valid_bpb;
  const bool best = std::isfinite(*valid_bpb_) && (!best_bpb_ || *valid_bpb_ < *best_bpb_);
  if (best) best_bpb_ = valid_bpb_;
  const std::string loss =
      last_.valid_loss ? fmt::format("loss {}, ", human_loss(*last_.valid_loss)) : "";
  above(fmt::format("validation at step {}: {}{} bits per byte{}", grouped(last_.step), loss,
                    human_loss(*valid_bpb_), best ? " (best so far)" : ""));
}

void TrainDisplay::sample(std::int64_t step, std::string_view text) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const int inside = std::clamp(options_.out->width() - 4, 20, 100);
  std::string out = fmt::format("╭─ sample at step {} ", grouped(step));
  for (int i = columns(out); i < inside + 2; ++i) out += "─";
  for (const std::string& line : wrap(printable(text), inside)) out += "\n│ " + line;
  above(out + "\n╰─");
}

void TrainDisplay::note(std::string_view line) {
  const std::lock_guard<std::mutex> lock(mutex_);
  above(line);
}

void TrainDisplay::finish() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (finished_ || !any_) return;
  finished_ = true;
  if (options_.out->is_terminal()) {
    line_.finish(live_line());
  } else if (shown_step_ != last_.step) {
    line_.finish(plain_line());
  }
}

// Text that stays; the live line moves down.
void TrainDisplay::above(std::string_view text) {
  line_.finish(text);
  if (any_ && !finished_ && options_.out->is_terminal()) line_.show(live_line());
}

}  // namespace lathe::runs
