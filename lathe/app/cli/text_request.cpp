#include "lathe/app/cli/text_request.h"

#include "lathe/base/error.h"
#include "lathe/base/json.h"

namespace lathe::cli {
namespace {

/// The plain values of a line.
struct LineOptions {
  std::optional<std::string> prompt;
  std::optional<std::vector<std::int64_t>> ids;
  std::vector<std::string> stop;
  std::int64_t tokens = 0, seed = 0;
  generate::SamplerOptions sampler;

  void fields(Fields& f) {
    f("prompt", prompt);
    f("ids", ids);
    f("stop", stop);
    f("tokens", tokens, "most tokens to add", in_range(1, 1 << 20));
    f("seed", seed, "of the draws", in_range(0, 9e15));
    sampler.fields(f);
  }
};

std::optional<Tree> take(Tree& table, const std::string& key) {
  for (std::size_t i = 0; i < table.keys.size(); ++i) {
    if (table.keys[i] != key) continue;
    Tree value = std::move(table.items[i]);
    table.keys.erase(table.keys.begin() + static_cast<std::ptrdiff_t>(i));
    table.items.erase(table.items.begin() + static_cast<std::ptrdiff_t>(i));
    return value;
  }
  return std::nullopt;
}

std::vector<std::int32_t> narrow(const std::vector<std::int64_t>& ids, const std::string& where) {
  std::vector<std::int32_t> out;
  for (const std::int64_t id : ids) {
    if (id < 0 || id > INT32_MAX)
      fail(ErrorCode::kInvalidArgument, "{}: ids: {} is no token", where, id);
    out.push_back(static_cast<std::int32_t>(id));
  }
  return out;
}

}  // namespace

TextRequest read_request(const std::string& line, const std::string& where,
                         const recipes::TextOptions& defaults) {
  Tree tree = parse_json(line, where);
  if (tree.kind != Tree::Kind::table)
    fail(ErrorCode::kInvalidArgument, "{}: expected an object with \"prompt\", found {}", where,
         describe(tree));
  TextRequest request{.options = defaults};
  request.label = take(tree, "id");
  const std::optional<Tree> messages = take(tree, "messages");
  LineOptions o;
  o.stop = defaults.stop;
  o.tokens = defaults.generate.tokens;
  o.sampler = defaults.generate.sampler;
  o.seed = static_cast<std::int64_t>(o.sampler.seed & 0x1fffffffffffff);
  const bool seeded = tree.find("seed") != nullptr;
  read_tree(tree, where, fields_of(o));
  if (int{o.prompt.has_value()} + int{o.ids.has_value()} + int{messages.has_value()} != 1)
    fail(ErrorCode::kInvalidArgument,
         "{}: expected one of the keys \"prompt\" (text), \"ids\" (tokens) and \"messages\" (of a "
         "chat)",
         where);
  request.prompt = std::move(o.prompt);
  if (o.ids) request.ids = narrow(*o.ids, where);
  if (messages) {
    if (messages->kind != Tree::Kind::array)
      fail(ErrorCode::kInvalidArgument, "{}: messages: expected a list, found {}", where,
           describe(*messages));
    request.messages = messages->items;
  }
  const std::uint64_t seed = seeded ? static_cast<std::uint64_t>(o.seed) : o.sampler.seed;
  request.options.stop = std::move(o.stop);
  request.options.generate.tokens = o.tokens;
  request.options.generate.sampler = std::move(o.sampler);
  request.options.generate.sampler.seed = seed;
  generate::chain_of(request.options.generate.sampler);
  return request;
}

std::vector<std::int32_t> ids_of(const TextRequest& request, const recipes::OpenedModel& model,
                                 const recipes::ChatFormat* chat, bool said) {
  if (request.ids) return *request.ids;
  if (model.tokenizer == nullptr)
    fail(
        ErrorCode::kInvalidArgument,
        "{}: there is no tokenizer to read text with; give tokens, {{\"ids\": [...]}} with --jsonl",
        model.checkpoint);
  if (said && request.prompt) {
    std::vector<Tree> messages = request.messages;
    messages.push_back(recipes::chat_message("user", *request.prompt));
    return chat->prompt(messages);
  }
  if (!request.prompt) return chat->prompt(request.messages);
  std::vector<std::int32_t> ids = model.prefix;
  model.tokenizer->encode_to(*request.prompt, false, ids);
  // What stood before the beginning of a document in training was the end of another.
  if (ids.empty())
    if (const auto end = model.tokenizer->eos_id()) ids.push_back(*end);
  return ids;
}

std::string describe_text(const TextRequest& request, const recipes::WrittenText& written,
                          std::uint64_t seed, bool has_tokenizer) {
  const generate::Generation& g = written.generation;
  Tree out = Tree::table();
  if (request.label) out.add("id", *request.label);
  if (request.prompt) out.add("prompt", Tree::of(*request.prompt));
  if (has_tokenizer) out.add("text", Tree::of(written.text));
  out.add("ids", Tree::of(std::vector<std::int64_t>(g.ids.begin(), g.ids.end())));
  out.add("stop", Tree::of(std::string(generate::name(g.reason))));
  if (g.stop_id >= 0) out.add("stop_id", Tree::of(std::int64_t{g.stop_id}));
  if (!written.stop_text.empty()) out.add("stop_text", Tree::of(written.stop_text));
  out.add("seed", Tree::of(static_cast<std::int64_t>(seed)));
  out.add("prompt_tokens", Tree::of(g.prompt_tokens));
  out.add("cached_tokens", Tree::of(g.prompt_tokens - g.computed_tokens));
  const auto count = static_cast<std::int64_t>(g.ids.size());
  out.add("new_tokens", Tree::of(count));
  out.add("prompt_seconds", Tree::of(g.prompt_seconds));
  out.add("token_seconds", Tree::of(g.token_seconds));
  return print_json(out);
}

}  // namespace lathe::cli
