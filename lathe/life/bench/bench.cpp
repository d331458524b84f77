#include "lathe/life/bench/bench.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/log.h"
#include "lathe/base/parallel.h"
#include "lathe/base/toml.h"
#include "lathe/life/bench/scratch.h"
#include "lathe/life/bench/training.h"
#include "lathe/life/plan/machine.h"

namespace lathe::bench {
namespace {

/// Another number of threads while it lives.
class ThreadScope {
 public:
  explicit ThreadScope(int n) : outer_(thread_count()) { set_thread_count(n); }
  ~ThreadScope() { set_thread_count(outer_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int outer_;
};

/// Only errors are said while it lives: what is opened many times over has been told of once.
class Quiet {
 public:
  Quiet() : outer_(log::level()) { log::set_level(log::Level::kError); }
  ~Quiet() { log::set_level(outer_); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  log::Level outer_;
};

class Bench {
  template <typename Make>
  auto measure(const std::string& what, Make&& make) {
    obey(o_.stop);
    if (report_.measuring) report_.measuring(what);
    return make();
  }

 public:
  Bench(const Options& options, const Report& report) : o_(options), report_(report) {
    peaks_of_all_ = measure("peaks of this machine", [] { return measure_peaks(); });
    how_ = {.repetitions = o_.repetitions, .peaks = &peaks_of_all_, .stop = o_.stop};
  }

  void run() {
    if (wanted("peaks", o_.model.empty())) show_peaks();
    if (any_of_model()) of_model();
    if (wanted("train", o_.model.empty() || !o_.train_recipe.empty())) training();
  }

 private:
  bool wanted(const std::string& what, bool otherwise = true) const {
    if (o_.only.empty()) return otherwise;
    return std::find(o_.only.begin(), o_.only.end(), what) != o_.only.end();
  }
  bool any_of_model() const {
    return wanted("load") || wanted("prefill") || wanted("decode") || wanted("encode");
  }

  void show(Row row) {
    if (row.threads == 0) row.threads = thread_count();
    row.isa = plan::instruction_set();
    report_.row(row);
  }

  const TemporaryFolder& scratch() {
    if (!scratch_) scratch_.emplace();
    return *scratch_;
  }

  void show_peaks() {
    show_peaks(peaks_of_all_);
    if (thread_count() == 1) return;
    const ThreadScope one(1);
    show_peaks(measure("peaks of one thread", [] { return measure_peaks(); }));
  }
  void show_peaks(const Peaks& peaks) {
    const auto one = [&](const char* name, double value, const char* unit) {
      if (value <= 0) return;
      Row row{.work = name, .unit = unit};
      set_samples(row, {value / 1e9});
      show(row);
    };
    one("peak f32", peaks.f32, "GFLOP/s");
    one("peak bf16", peaks.bf16, "GFLOP/s");
    one("peak int8", peaks.int8, "GOP/s");
    one("bandwidth, reading", peaks.bandwidth, "GB/s");
  }

  void of_model() {
    std::string path = o_.model;
    if (path.empty())
      path = measure("making a random model", [&] { return write_random_model(scratch()); });
    recipes::OpenedModel opened = measure(
        "opening " + path, [&] { return recipes::open_model(path, o_.open, real_files()); });
    model_ = o_.model.empty() ? file_name(path) : opened.checkpoint;
    if (wanted("load")) load(path, Cost(*opened.model));
    for (const std::int64_t depth : o_.depths) {
      if (wanted("prefill"))
        for (const std::int64_t n : o_.prompts) inference(*opened.model, {false, n, depth});
      if (!wanted("decode")) continue;
      for (const std::int64_t batch : o_.batches)
        for (const std::int64_t n : o_.decodes) inference(*opened.model, {true, n, depth, batch});
    }
    if (!wanted("encode")) return;
    if (opened.tokenizer != nullptr) return encode(*opened.tokenizer);
    log::warning("bench: {} brings no tokenizer, so nothing is encoded", model_);
  }

  void inference(model::LanguageModel& model, const Shape& shape) {
    if (shape.tokens == 0) return;
    if (shape.depth + shape.tokens > model.config().context)
      log::warning("bench: {} reaches beyond the {} tokens that the model was made for",
                   name(shape), model.config().context);
    Row row = measure(name(shape), [&] { return bench::measure(model, shape, how_); });
    row.model = model_;
    show(std::move(row));
  }

  /// From the path to the logits of one token, the file being in the system's cache.
  void load(const std::string& path, const Cost& cost) {
    Row row{.work = "load", .model = model_, .weights = cost.weights(), .unit = "s"};
    std::vector<double> seconds;
    const Quiet quiet;
    for (std::int64_t i = 0; i <= o_.repetitions; ++i) {
      seconds.push_back(measure("load", [&] {
        const double start = how_.clock->seconds();
        const auto opened = recipes::open_model(path, o_.open, real_files());
        const auto batch = model::TokenBatch::plain({{0}});
        opened.model->logits(opened.model->hidden(batch));
        return how_.clock->seconds() - start;
      }));
    }
    seconds.erase(seconds.begin());
    set_samples(row, std::move(seconds));
    row.tokens_per_second = 1 / row.value;
    row.gbytes_per_second = cost.weight_bytes() / row.value / 1e9;
    row.gflops = (cost.layers(1, 1, 0) + cost.head(1)).flops / row.value / 1e9;
    row.share_of_bandwidth = *row.gbytes_per_second * 1e9 / peaks_of_all_.bandwidth;
    show(std::move(row));
  }

  /// On one thread, as a text is one piece.
  void encode(const tokenize::Tokenizer& tokenizer) {
    constexpr std::size_t kBytes = 4'000'000;
    const std::string text =
        o_.text.empty() ? generated_text(kBytes) : real_files().read_all(o_.text);
    if (text.empty())
      fail(ErrorCode::kInvalidArgument, "{}: expected a text to encode, got an empty file",
           o_.text);
    Row row{.work = "encode", .model = model_, .unit = "MB/s"};
    std::vector<double> speeds;
    std::size_t tokens = 0;
    for (std::int64_t i = 0; i <= o_.repetitions; ++i) {
      speeds.push_back(measure("encode", [&] {
        const double start = how_.clock->seconds();
        tokens = tokenizer.encode(text).size();
        return static_cast<double>(text.size()) / 1e6 / (how_.clock->seconds() - start);
      }));
    }
    speeds.erase(speeds.begin());
    set_samples(row, std::move(speeds));
    const double per_byte = static_cast<double>(tokens) / static_cast<double>(text.size());
    row.tokens_per_second = per_byte * row.value * 1e6;
    row.gbytes_per_second = row.value / 1e3;
    row.threads = 1;
    show(std::move(row));
  }

  void training() {
    recipes::PretrainConfig config = default_training();
    if (!o_.train_recipe.empty()) {
      config = {};
      read_toml(o_.train_recipe, config);
    }
    Row row = measure("training", [&] { return measure_training(config, scratch(), how_); });
    row.model = o_.train_recipe;
    show(std::move(row));
  }

  const Options& o_;
  const Report& report_;
  Peaks peaks_of_all_;
  Measuring how_;
  std::optional<TemporaryFolder> scratch_;
  std::string model_;
};

}  // namespace

Peaks measure_peaks() {
  return {.f32 = plan::peak_flops(DType::f32),
          .bf16 = plan::multiplies_bf16() ? plan::peak_flops(DType::bf16) : 0,
          .int8 = plan::peak_int8_ops(),
          .bandwidth = plan::read_bandwidth()};
}

void run_bench(const Options& options, const Report& report) { Bench(options, report).run(); }

}  // namespace lathe::bench
