#include "lathe/life/bench/bench.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "lathe/app/cli/compute_options.h"
#include "lathe/app/cli/verb.h"
#include "lathe/app/store/local_models.h"
#include "lathe/base/json.h"
#include "lathe/base/progress.h"

namespace lathe::cli {
namespace {

struct Options {
  ComputeOptions open;
  bench::Options bench;
  bool json = false;
};

/// Of the limit that is nearer.
std::string share(const bench::Row& row) {
  const double compute = row.share_of_compute.value_or(0);
  const double bandwidth = row.share_of_bandwidth.value_or(0);
  if (compute == 0 && bandwidth == 0) return "";
  if (compute >= bandwidth) return fmt::format("{:.0f}% of {}", 100 * compute, row.numbers);
  return fmt::format("{:.0f}% of bandwidth", 100 * bandwidth);
}

std::string number(const std::optional<double>& value) {
  return value ? fmt::format("{:.4g}", *value) : "";
}

void print_head() {
  fmt::print("{:<20} {:>2} {:>8} {:<8} {:>6} {:>9} {:>8} {:>7}  {}\n", "work", "th", "median", "",
             "spread", "tokens/s", "GFLOP/s", "GB/s", "share of peak");
}

void print_row(const bench::Row& row) {
  const std::string spread = row.samples.size() > 1 ? fmt::format("{:.1f}%", 100 * row.spread) : "";
  std::string line =
      fmt::format("{:<20} {:>2} {:>8.4g} {:<8} {:>6} {:>9} {:>8} {:>7}  {}", row.work, row.threads,
                  row.value, row.unit, spread, number(row.tokens_per_second), number(row.gflops),
                  number(row.gbytes_per_second), share(row));
  line.erase(line.find_last_not_of(' ') + 1);
  fmt::print("{}\n", line);
}

void run(Options& o) {
  static_cast<recipes::OpenOptions&>(o.bench.open) = o.open;
  if (!o.bench.model.empty()) o.bench.model = store::resolve_model(o.bench.model);
  o.bench.stop = stop_on_signals();
  LiveLine live;
  bool first = true;
  std::string model;
  const auto row = [&](const bench::Row& r) {
    live.clear();
    if (o.json) {
      fmt::print("{}\n", write_json(r));
    } else {
      if (first || r.model != model) {
        if (!r.model.empty()) fmt::print("{} {}\n", r.model, r.weights);
        model = r.model;
      }
      if (first) print_head();
      print_row(r);
    }
    first = false;
    std::fflush(stdout);
  };
  run_bench(o.bench, {.row = row, .measuring = [&](const std::string& what) {
                        live.show("measuring " + what);
                      }});
}

void add_options(CLI::App& verb, Options& o) {
  const auto list = [&](const char* name, std::vector<std::int64_t>& values, const char* help,
                        std::int64_t low, std::int64_t high) {
    verb.add_option(name, values, help)
        ->delimiter(',')
        ->check(CLI::Range(low, high))
        ->allow_extra_args(false)
        ->capture_default_str();
  };
  constexpr std::int64_t kMost = 1 << 24;
  verb.add_option(
      "MODEL", o.bench.model,
      "a run folder, a checkpoint, a Hugging Face folder, a GGUF file or a pulled name; "
      "without: a random Llama of 57M weights in Q8_0");
  verb.add_option("--only", o.bench.only,
                  "which rows, separated by commas: peaks, load, prefill, decode, encode, train "
                  "(default: those of the model; without MODEL all)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"peaks", "load", "prefill", "decode", "encode", "train"}));
  list("-p,--prompt", o.bench.prompts, "tokens of a prefill; 0: none", 0, kMost);
  list("-n,--decode", o.bench.decodes, "tokens of a decode; 0: none", 0, kMost);
  list("-d,--depth", o.bench.depths, "tokens that stand before, for both", 0, kMost);
  list("--batch", o.bench.batches, "sequences that decode side by side", 1, 4096);
  verb.add_option("-r,--repetitions", o.bench.repetitions, "measurements a row, after a first one")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  verb.add_option("--text", o.bench.text, "a text to encode (default: 4 MB of invented words)");
  verb.add_option("--train", o.bench.train_recipe,
                  "a recipe whose training steps are measured, on invented words in place of its "
                  "data (default without MODEL: a Llama of 10M weights)");
  o.open.add_to(verb);
  verb.add_flag("--json", o.json, "print a JSON object a row");
}

}  // namespace

void register_bench(CLI::App& root) {
  const auto o = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand("bench", "How fast this machine is, and a model on it");
  add_options(*verb, *o);
  verb->footer(
      "Shapes are those of llama-bench: ppN reads N random tokens, tgN adds N tokens one at a "
      "time\n"
      "from an empty context or behind --depth tokens; '@ d4096' names the depth, 'x8' the batch.\n"
      "load: from the path to the first logits, the file in the system's cache. encode: the "
      "model's\n"
      "own tokenizer, one thread. Medians; spread is (largest - smallest) / median. GFLOP/s and "
      "GB/s\n"
      "count the products and attention, the weights and the KV cache. Shares are of the peaks "
      "that\n"
      "this program measures first: multiply-adds in registers, reading beyond the caches (a "
      "model\n"
      "that lies in the caches can exceed that).\n"
      "Examples:\n"
      "  lathe bench\n"
      "  lathe bench model.gguf -p 512,4096 -d 0,4096 --batch 1,8,16\n"
      "  lathe bench model.gguf --only decode -n 128 -r 10 --threads 1 --json\n"
      "  lathe bench --only train --train configs/bench_135m.toml");
  verb->callback([o] { run(*o); });
}

}  // namespace lathe::cli
