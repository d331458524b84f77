#include "lathe/life/recipes/inspect.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "lathe/app/cli/verb.h"
#include "lathe/app/store/local_models.h"
#include "lathe/base/format.h"
#include "lathe/base/json.h"

namespace lathe::cli {
namespace {

struct Options {
  std::string model;
  bool json = false;
};

/// "Q4_K 98.1 MB, F32 0.1 MB"
std::string types_of(const recipes::Inspection& m) {
  std::map<std::string, std::int64_t> bytes;
  for (const recipes::InspectedTensor& t : m.tensors) bytes[t.type] += t.bytes;
  std::string out;
  for (const auto& [type, n] : bytes)
    out +=
        fmt::format("{}{} {}", out.empty() ? "" : ", ", type, human_bytes(static_cast<double>(n)));
  return out;
}

void print_network(const recipes::Inspection& m) {
  const model::ModelConfig& c = m.config;
  fmt::print("{}: {}\n\n", m.path, m.container);
  fmt::print("network      {}: {} layers, width {}, {} heads ({} of keys) of {}, MLP {}\n", c.kind,
             c.layers, c.width, c.heads, c.kv_heads, c.head_size, c.hidden);
  fmt::print("vocabulary   {} rows, {}\n", c.vocab, c.tied ? "tied to the output" : "output apart");
  fmt::print("context      {} tokens{}\n", c.context,
             c.rope_scaling.present() ? ", rotary scaling " + c.rope_scaling.kind : "");
  fmt::print("parameters   {}\n", human_count(static_cast<double>(m.parameters)));
  fmt::print("weights      {} ({})\n", human_bytes(static_cast<double>(m.weight_bytes)),
             types_of(m));
  fmt::print("cache        {} a token, {} at full context (f32)\n",
             human_bytes(static_cast<double>(m.cache_bytes_per_token)),
             human_bytes(static_cast<double>(m.cache_bytes_per_token * c.context)));
}

void print_text_side(const recipes::Inspection& m) {
  fmt::print("tokenizer    {}", m.tokenizer);
  if (m.vocabulary) fmt::print(", {} tokens", *m.vocabulary);
  if (m.bos) fmt::print(", begin {}", *m.bos);
  if (!m.stops.empty()) fmt::print(", stop {}", fmt::join(m.stops, " "));
  fmt::print("\nchat         {}\n", m.chat_template.empty() ? "no template" : "template:");
  if (!m.chat_template.empty()) fmt::print("{}\n", m.chat_template);
}

void run(const Options& o) {
  const recipes::Inspection m = recipes::inspect(store::resolve_model(o.model));
  if (o.json) {
    fmt::print("{}\n", print_json(m.to_tree(), 2));
    return;
  }
  print_network(m);
  print_text_side(m);
  if (!m.metadata.empty()) fmt::print("\nmetadata\n");
  for (const recipes::InspectedKey& k : m.metadata)
    fmt::print("  {:<44} {:<14} {}\n", k.key, k.type, k.value);
  fmt::print("\ntensors\n");
  for (const recipes::InspectedTensor& t : m.tensors)
    fmt::print("  {:<44} {:<7} [{}]  {}\n", t.name, t.type, fmt::join(t.shape, ","),
               human_bytes(static_cast<double>(t.bytes)));
}

}  // namespace

void register_inspect(CLI::App& root) {
  const auto o = std::make_shared<Options>();
  CLI::App* verb = root.add_subcommand(
      "inspect", "What a model holds: network, memory, tokenizer, chat template, tensors");
  verb->add_option("MODEL", o->model,
                   "a run folder, a checkpoint, a Hugging Face folder, a GGUF file")
      ->required();
  verb->add_flag("--json", o->json, "print JSON");
  verb->footer("Example:\n  lathe inspect model.gguf");
  verb->callback([o] { run(*o); });
}

}  // namespace lathe::cli
