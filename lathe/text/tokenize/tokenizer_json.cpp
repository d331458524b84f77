// tokenizer.json of Hugging Face: which model a file holds, and the byte-level BPE.
#include <limits>

#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_level_bpe.h"
#include "lathe/text/tokenize/json_tree.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::tokenize {
namespace {

constexpr std::string_view kVersion = "1.0";

std::int32_t narrow_id(const Json& value, std::string_view path) {
  const std::int64_t id = value.as_integer(path);
  if (id < 0 || id > std::numeric_limits<std::int32_t>::max())
    fail(ErrorCode::kCorrupt, "{}: expected a token id, got {}", path, id);
  return static_cast<std::int32_t>(id);
}

bool flag(const Json& object, std::string_view key, std::string_view path) {
  const Json& value = object.get(key, path);
  return !value.is_null() && value.as_bool(std::string(path) + "." + std::string(key));
}

void refuse(const Json& object, std::string_view key, std::string_view path) {
  const Json& value = object.get(key, path);
  if (value.is_null() || (value.is_string() && value.as_string(path).empty())) return;
  fail(ErrorCode::kUnsupported, "{}.{}: expected null, got a value; it is not implemented", path,
       key);
}

std::vector<AddedToken> read_added(const Json& list) {
  std::vector<AddedToken> added;
  if (list.is_null()) return added;
  const std::string path = "added_tokens";
  for (const Json& entry : list.as_array(path)) {
    only_keys(entry, path,
              {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken token;
    token.content = entry.get("content", path).as_string(path + ".content");
    token.id = narrow_id(entry.get("id", path), path + ".id");
    token.lstrip = flag(entry, "lstrip", path);
    token.rstrip = flag(entry, "rstrip", path);
    token.normalized = flag(entry, "normalized", path);
    token.special = flag(entry, "special", path);
    if (flag(entry, "single_word", path))
      fail(ErrorCode::kUnsupported, "{}.single_word: expected false, got true for '{}'", path,
           token.content);
    added.push_back(std::move(token));
  }
  return added;
}

std::pair<std::string, std::string> read_merge(const Json& merge, std::size_t rank) {
  const std::string path = "model.merges[" + std::to_string(rank) + "]";
  if (merge.is_array()) {
    const Json::Array& parts = merge.as_array(path);
    if (parts.size() != 2)
      fail(ErrorCode::kCorrupt, "{}: expected two tokens, got {}", path, parts.size());
    return {parts[0].as_string(path), parts[1].as_string(path)};
  }
  const std::string& text = merge.as_string(path);
  const std::size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
    fail(ErrorCode::kCorrupt, "{}: expected two tokens with one space between, got '{}'", path,
         text);
  return {text.substr(0, space), text.substr(space + 1)};
}

void read_model(const Json& model, ByteLevelBpeSpec& spec) {
  const std::string path = "model";
  only_keys(model, path,
            {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
             "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  refuse(model, "dropout", path);
  refuse(model, "continuing_subword_prefix", path);
  refuse(model, "end_of_word_suffix", path);
  if (flag(model, "byte_fallback", path))
    fail(ErrorCode::kUnsupported, "model.byte_fallback: expected false, got true");
  const Json& unknown = model.get("unk_token", path);
  if (!unknown.is_null()) spec.unknown = unknown.as_string("model.unk_token");
  spec.fuse_unknown = flag(model, "fuse_unk", path);
  spec.ignore_merges = flag(model, "ignore_merges", path);
  for (const auto& [text, id] : model.get("vocab", path).as_object("model.vocab"))
    spec.vocab.emplace_back(text, narrow_id(id, "model.vocab." + text));
  for (const Json& merge : model.get("merges", path).as_array("model.merges"))
    spec.merges.push_back(read_merge(merge, spec.merges.size()));
}

}  // namespace

ByteLevelBpeSpec read_byte_level_bpe(const Json& root) {
  ByteLevelBpeSpec spec;
  spec.added = read_added(root.get("added_tokens", "tokenizer"));
  spec.normalizer = root.get("normalizer", "tokenizer");
  spec.pre_tokenizer = root.get("pre_tokenizer", "tokenizer");
  spec.post_processor = root.get("post_processor", "tokenizer");
  spec.decoder = root.get("decoder", "tokenizer");
  read_model(root.get("model", "tokenizer"), spec);
  return spec;
}

std::unique_ptr<Tokenizer> parse_tokenizer(std::string_view json) {
  const Json root = parse_json(json);
  only_keys(root, "tokenizer",
            {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
             "post_processor", "decoder", "model"});
  const Json& version = root.get("version", "tokenizer");
  if (!version.is_null() && version.as_string("version") != kVersion)
    fail(ErrorCode::kUnsupported, "version: expected {}, got '{}'", kVersion,
         version.as_string("version"));
  refuse(root, "truncation", "tokenizer");
  refuse(root, "padding", "tokenizer");
  const Json& model = root.get("model", "tokenizer");
  const Json& type = model.get("type", "model");
  const std::string kind = type.is_null() ? "BPE" : type.as_string("model.type");
  if (kind == "BPE") return std::make_unique<ByteLevelBpe>(read_byte_level_bpe(root));
  fail(ErrorCode::kUnsupported, "model.type: expected BPE, got '{}'", kind);
}

std::string write_byte_level_bpe(const ByteLevelBpeSpec& spec) {
  Json::Array added;
  for (const AddedToken& token : spec.added)
    added.push_back(Json(Json::Object{{"id", Json(std::int64_t{token.id})},
                                      {"content", Json(token.content)},
                                      {"single_word", Json(false)},
                                      {"lstrip", Json(token.lstrip)},
                                      {"rstrip", Json(token.rstrip)},
                                      {"normalized", Json(token.normalized)},
                                      {"special", Json(token.special)}}));
  Json::Object vocab;
  for (const auto& [text, id] : spec.vocab) vocab.emplace_back(text, Json(std::int64_t{id}));
  Json::Array merges;
  for (const auto& [left, right] : spec.merges)
    merges.push_back(Json(Json::Array{Json(left), Json(right)}));
  const Json model(Json::Object{{"type", Json(std::string("BPE"))},
                                {"dropout", Json()},
                                {"unk_token", spec.unknown.empty() ? Json() : Json(spec.unknown)},
                                {"continuing_subword_prefix", Json()},
                                {"end_of_word_suffix", Json()},
                                {"fuse_unk", Json(spec.fuse_unknown)},
                                {"byte_fallback", Json(false)},
                                {"ignore_merges", Json(spec.ignore_merges)},
                                {"vocab", Json(std::move(vocab))},
                                {"merges", Json(std::move(merges))}});
  const Json root(Json::Object{{"version", Json(std::string(kVersion))},
                               {"truncation", Json()},
                               {"padding", Json()},
                               {"added_tokens", Json(std::move(added))},
                               {"normalizer", spec.normalizer},
                               {"pre_tokenizer", spec.pre_tokenizer},
                               {"post_processor", spec.post_processor},
                               {"decoder", spec.decoder},
                               {"model", model}});
  std::string out;
  root.write(out, 0);
  return out;
}

}  // namespace lathe::tokenize
