#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "lathe/app/cli/compute_options.h"
#include "lathe/app/cli/verb.h"
#include "lathe/app/store/local_models.h"
#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/format.h"
#include "lathe/base/json.h"
#include "lathe/base/log.h"
#include "lathe/base/progress.h"
#include "lathe/life/generate/score.h"
#include "lathe/life/recipes/open_model.h"

namespace lathe::cli {
namespace {

struct Options {
  ComputeOptions open;
  std::string model, file;
  generate::PerplexityOptions perplexity;
  bool json = false;
};

std::vector<std::int32_t> tokens_of(const Options& o, const recipes::OpenedModel& m) {
  std::string text = real_files().read_all(o.file);
  if (!text.empty() && text.back() == '\n') text.pop_back();  // as llama-perplexity does
  std::vector<std::int32_t> ids = m.prefix;
  m.tokenizer->encode_to(text, false, ids);
  return ids;
}

void print_result(const Options& o, const generate::Perplexity& p, double seconds,
                  const std::string& checkpoint) {
  if (!o.json) {
    fmt::print("perplexity {:.4f} +/- {:.5f}\n", p.value, p.error);
    fmt::print("{} tokens scored in {} chunks of {}, {:.1f} tokens/s\n", p.scored, p.chunks,
               o.perplexity.context,
               static_cast<double>(p.chunks * o.perplexity.context) / std::max(seconds, 1e-9));
    if (o.perplexity.compare_exact)
      fmt::print("against exact products: KL {:.6f} nats a token, the same best token at {:.3f}%\n",
                 p.kl, 100 * p.same_best);
    return;
  }
  Tree out = Tree::table();
  out.add("model", Tree::of(checkpoint));
  out.add("file", Tree::of(o.file));
  out.add("perplexity", Tree::of(p.value));
  out.add("error", Tree::of(p.error));
  out.add("context", Tree::of(o.perplexity.context));
  out.add("chunks", Tree::of(p.chunks));
  out.add("scored_tokens", Tree::of(p.scored));
  if (o.perplexity.compare_exact) {
    out.add("kl", Tree::of(p.kl));
    out.add("same_best", Tree::of(p.same_best));
  }
  out.add("seconds", Tree::of(seconds));
  fmt::print("{}\n", print_json(out));
}

void run(Options& o) {
  const recipes::OpenedModel m =
      recipes::open_model(store::resolve_model(o.model), o.open, real_files());
  if (m.tokenizer == nullptr)
    fail(ErrorCode::kNotFound, "{}: there is no tokenizer to read the text with", m.checkpoint);
  const std::int64_t made_for = m.model->config().context;
  if (o.perplexity.context > made_for)
    log::warning("perplexity: chunks of {} tokens reach beyond the {} that the model was made for",
                 o.perplexity.context, made_for);
  const std::vector<std::int32_t> ids = tokens_of(o, m);
  if (!m.prefix.empty()) o.perplexity.bos = m.prefix.front();
  o.perplexity.cancel = stop_on_signals();
  std::int64_t chunks = static_cast<std::int64_t>(ids.size()) / o.perplexity.context;
  if (o.perplexity.chunks > 0) chunks = std::min(chunks, o.perplexity.chunks);
  LiveLine live;
  const Clock& clock = steady_clock();
  const double start = clock.seconds();
  const auto p = generate::perplexity(*m.model, ids, o.perplexity, [&](const auto& now) {
    const double each = (clock.seconds() - start) / static_cast<double>(now.chunks);
    live.show(fmt::format("chunk {} of {}: perplexity {:.4f} +/- {:.4f}, {} left", now.chunks,
                          chunks, now.value, now.error,
                          human_duration(each * static_cast<double>(chunks - now.chunks))));
  });
  live.clear();
  if (p.chunks < chunks)
    log::warning("perplexity: stopped after {} of {} chunks", p.chunks, chunks);
  if (p.chunks == 0) fail(ErrorCode::kCancelled, "perplexity: stopped before the first chunk");
  print_result(o, p, clock.seconds() - start, m.checkpoint);
}

}  // namespace

void register_perplexity(CLI::App& root) {
  const auto o = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand("perplexity", "How well a model predicts a text");
  verb->add_option("MODEL", o->model,
                   "a run folder, a checkpoint, a Hugging Face folder or a GGUF file")
      ->required();
  verb->add_option("FILE", o->file, "a text")->required();
  verb->add_option("-c,--context", o->perplexity.context, "tokens a chunk")
      ->check(CLI::Range(4, 1 << 20))
      ->capture_default_str();
  verb->add_option("--chunks", o->perplexity.chunks, "only the first so many; 0: all")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  CLI::Option* kl = verb->add_flag(
      "--kl", o->perplexity.compare_exact,
      "quantised weights: also the KL divergence to exact products of the same weights");
  o->open.add_to(*verb);
  kl->excludes(verb->get_option("--exact"));
  verb->add_flag("--json", o->json, "print JSON");
  verb->footer(
      "By the protocol of llama-perplexity: the text is cut in chunks, in each the second half is\n"
      "scored given what stands before, and the first token of a chunk is the beginning-of-text\n"
      "token where the tokenizer adds one. +/- is the standard error.\n"
      "Examples:\n"
      "  lathe perplexity model.gguf wiki.test.raw\n"
      "  lathe perplexity model.gguf wiki.test.raw --kl --chunks 20\n"
      "  lathe perplexity runs/demo valid.txt --context 256 --json");
  verb->callback([o] { run(*o); });
}

}  // namespace lathe::cli
