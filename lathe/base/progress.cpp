// Invariants:
// 1. `visible` is the line on the terminal or null; it and every member of that line but the clock
//    change only under `screen`.
// 2. The log calls before() and after() around a message under its own lock; before() takes
//    `screen` and after() returns it, so a message and a redraw never mix. Nobody who holds
//    `screen` logs, so the two locks are always taken in one order.
#include "lathe/base/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "lathe/base/format.h"
#include "lathe/base/log.h"

namespace lathe {
namespace {

constexpr double kRedrawSeconds = 0.2;

std::mutex screen;
LiveLine* visible = nullptr;

class StandardError final : public ProgressOutput {
 public:
  bool is_terminal() const override {
    static const bool terminal = ::isatty(STDERR_FILENO) != 0;
    return terminal;
  }
  int width() const override {
    winsize size{};
    const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
  }
  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::write(STDERR_FILENO, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
};

/// The first `width` characters of UTF-8 text, so that a line never wraps (a wrapped one cannot be
/// rewritten). Wide characters are not counted as two.
std::string_view clipped(std::string_view text, int width) {
  int characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts && characters++ == width) return text.substr(0, i);
  }
  return text;
}

}  // namespace

ProgressOutput& standard_error() {
  static StandardError* const out = new StandardError;  // lives to the end
  return *out;
}

struct LiveLineInterlude {
  static void before() {
    screen.lock();
    if (visible != nullptr) visible->erase();
  }
  static void after() {
    if (visible != nullptr) visible->draw(visible->text_);
    screen.unlock();
  }
};

LiveLine::LiveLine(ProgressOutput& out, const Clock& clock, double plain_seconds)
    : out_(out), clock_(clock), plain_seconds_(plain_seconds) {
  log::set_interlude(&LiveLineInterlude::before, &LiveLineInterlude::after);
}

LiveLine::~LiveLine() { clear(); }

void LiveLine::show(std::string_view text) {
  const std::lock_guard<std::mutex> lock(screen);
  const bool terminal = out_.is_terminal();
  const double now = clock_.seconds();
  if (now - last_ < (terminal ? kRedrawSeconds : plain_seconds_)) return;
  last_ = now;
  if (!terminal) return out_.write(fmt::format("{}\n", text));
  if (visible != nullptr && visible != this) return;
  visible = this;
  draw(text);
}

void LiveLine::finish(std::string_view text) {
  const std::lock_guard<std::mutex> lock(screen);
  if (visible == this) {
    erase();
    visible = nullptr;
  }
  out_.write(fmt::format("{}\n", text));
  last_ = -1e300;
}

void LiveLine::clear() {
  const std::lock_guard<std::mutex> lock(screen);
  if (visible != this) return;
  erase();
  visible = nullptr;
}

void LiveLine::draw(std::string_view text) {
  if (text.data() != text_.data()) text_ = text;
  // Back to the first column, the text, then erase what a longer line left behind.
  out_.write(fmt::format("\r{}\x1b[K", clipped(text, std::max(out_.width() - 1, 10))));
  drawn_ = true;
}

void LiveLine::erase() {
  if (drawn_) out_.write("\r\x1b[K");
  drawn_ = false;
}

Progress::Progress(Options options, ProgressOutput& out, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      start_(clock.seconds()),
      total_(options_.total),
      next_(options_.quiet_seconds),
      line_(out, clock) {}

Progress::~Progress() {
  if (shown_.load()) line_.finish(text(clock_.seconds() - start_));
}

void Progress::add(std::int64_t amount) {
  done_.fetch_add(amount, std::memory_order_relaxed);
  const double elapsed = clock_.seconds() - start_;
  if (elapsed < next_.load(std::memory_order_relaxed)) return;
  next_.store(elapsed + kRedrawSeconds, std::memory_order_relaxed);
  shown_.store(true);
  line_.show(text(elapsed));
}

std::string Progress::text(double elapsed) const {
  const auto amount = [&](double value) {
    return options_.unit == ProgressUnit::bytes ? human_bytes(value) : human_count(value);
  };
  const auto done = static_cast<double>(done_.load(std::memory_order_relaxed));
  const auto total = static_cast<double>(total_.load(std::memory_order_relaxed));
  const double rate = elapsed > 0 ? done / elapsed : 0;
  if (total <= 0)
    return fmt::format("{}: {}, {}/s, {}", options_.what, amount(done), amount(rate),
                       human_duration(elapsed));
  if (done >= total)
    return fmt::format("{}: {} in {}, {}/s", options_.what, amount(done), human_duration(elapsed),
                       amount(rate));
  return fmt::format("{}: {:.0f}%, {} of {}, {}/s, {} left", options_.what,
                     100 * std::min(done / total, 1.0), amount(done), amount(total), amount(rate),
                     rate > 0 ? human_duration((total - done) / rate) : "?");
}

}  // namespace lathe
