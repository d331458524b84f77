// tokenizer.json of Hugging Face: which model a file holds, and what that needs.
#include "lathe/text/tokenize/byte_level_bpe.h"
#include "lathe/text/tokenize/char_bpe.h"
#include "lathe/text/tokenize/json_fields.h"
#include "lathe/text/tokenize/pipeline_tokenizer.h"
#include "lathe/text/tokenize/unigram.h"
#include "lathe/text/tokenize/word_piece.h"

namespace lathe::tokenize {
namespace {

constexpr std::string_view kVersion = "1.0";

using Vocab = std::vector<std::pair<std::string, std::int32_t>>;

std::vector<AddedToken> read_added(const Json& list) {
  std::vector<AddedToken> added;
  if (list.is_null()) return added;
  const std::string path = "added_tokens";
  for (const Json& entry : list.as_array(path)) {
    only_keys(entry, path,
              {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken token;
    token.content = entry.get("content", path).as_string(path + ".content");
    token.id = read_id(entry.get("id", path), path + ".id");
    token.lstrip = flag(entry, "lstrip", path, false);
    token.rstrip = flag(entry, "rstrip", path, false);
    token.normalized = flag(entry, "normalized", path, false);
    token.special = flag(entry, "special", path, false);
    token.single_word = flag(entry, "single_word", path, false);
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

Vocab read_vocab(const Json& model) {
  Vocab vocab;
  for (const auto& [text, id] : model.get("vocab", "model").as_object("model.vocab"))
    vocab.emplace_back(text, read_id(id, "model.vocab." + text));
  return vocab;
}

CharBpeSpec read_bpe(const Json& model) {
  const std::string path = "model";
  only_keys(model, path,
            {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
             "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  const Json& dropout = model.get("dropout", path);
  if (!dropout.is_null() && dropout.as_number("model.dropout") != 0)
    fail(ErrorCode::kUnsupported,
         "model.dropout: expected null, got {}; a text would have other ids each time",
         dropout.as_number("model.dropout"));
  CharBpeSpec spec;
  spec.unknown = text_or(model, "unk_token", path, "");
  spec.continuing_subword_prefix = text_or(model, "continuing_subword_prefix", path, "");
  spec.end_of_word_suffix = text_or(model, "end_of_word_suffix", path, "");
  spec.fuse_unknown = flag(model, "fuse_unk", path, false);
  spec.byte_fallback = flag(model, "byte_fallback", path, false);
  spec.ignore_merges = flag(model, "ignore_merges", path, false);
  spec.vocab = read_vocab(model);
  for (const Json& merge : model.get("merges", path).as_array("model.merges"))
    spec.merges.push_back(read_merge(merge, spec.merges.size()));
  return spec;
}

/// The fast path, where all the file asks for is what it does; null otherwise.
std::unique_ptr<Tokenizer> byte_level_of(const Json& root, CharBpeSpec& model,
                                         std::vector<AddedToken>& added) {
  if (model.byte_fallback || !model.continuing_subword_prefix.empty() ||
      !model.end_of_word_suffix.empty())
    return nullptr;
  ByteLevelBpeSpec spec;
  spec.normalizer = root.get("normalizer", "tokenizer");
  spec.pre_tokenizer = root.get("pre_tokenizer", "tokenizer");
  spec.post_processor = root.get("post_processor", "tokenizer");
  spec.decoder = root.get("decoder", "tokenizer");
  if (!byte_level_parts(spec.normalizer, spec.pre_tokenizer, spec.decoder)) return nullptr;
  spec.vocab = std::move(model.vocab);
  spec.merges = std::move(model.merges);
  spec.added = std::move(added);
  spec.unknown = std::move(model.unknown);
  spec.fuse_unknown = model.fuse_unknown;
  spec.ignore_merges = model.ignore_merges;
  spec.truncation = root.get("truncation", "tokenizer");
  spec.padding = root.get("padding", "tokenizer");
  return std::make_unique<ByteLevelBpe>(std::move(spec));
}

void read_unigram(const Json& model, PipelineSpec& spec) {
  only_keys(model, "model", {"type", "unk_id", "vocab", "byte_fallback"});
  UnigramSpec unigram;
  const Json& unknown = model.get("unk_id", "model");
  if (!unknown.is_null()) unigram.unknown = read_id(unknown, "model.unk_id");
  unigram.byte_fallback = flag(model, "byte_fallback", "model", false);
  for (const Json& entry : model.get("vocab", "model").as_array("model.vocab")) {
    const std::string path = "model.vocab[" + std::to_string(unigram.vocab.size()) + "]";
    const Json::Array& pair = entry.as_array(path);
    if (pair.size() != 2)
      fail(ErrorCode::kCorrupt, "{}: expected a token and its score, got {} values", path,
           pair.size());
    spec.vocab.emplace_back(pair[0].as_string(path),
                            static_cast<std::int32_t>(unigram.vocab.size()));
    unigram.vocab.emplace_back(pair[0].as_string(path), pair[1].as_number(path));
  }
  spec.model = std::make_unique<Unigram>(unigram);
}

void read_word_piece(const Json& model, PipelineSpec& spec) {
  only_keys(
      model, "model",
      {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"});
  WordPieceSpec pieces;
  pieces.vocab = read_vocab(model);
  pieces.unknown = text_or(model, "unk_token", "model", "[UNK]");
  pieces.continuing_subword_prefix = text_or(model, "continuing_subword_prefix", "model", "##");
  pieces.max_input_chars_per_word = integer(model, "max_input_chars_per_word", "model", 100);
  spec.model = std::make_unique<WordPiece>(pieces);
  spec.vocab = std::move(pieces.vocab);
}

void read_word_level(const Json& model, PipelineSpec& spec) {
  only_keys(model, "model", {"type", "unk_token", "vocab"});
  spec.vocab = read_vocab(model);
  spec.model =
      std::make_unique<WordLevel>(spec.vocab, text_or(model, "unk_token", "model", "<unk>"));
}

/// Old files do not name their model.
std::string kind_of(const Json& model) {
  const Json& type = model.get("type", "model");
  if (!type.is_null()) return type.as_string("model.type");
  if (!model.get("merges", "model").is_null()) return "BPE";
  if (model.get("vocab", "model").is_array()) return "Unigram";
  return model.get("max_input_chars_per_word", "model").is_null() ? "WordLevel" : "WordPiece";
}

}  // namespace

std::unique_ptr<Tokenizer> parse_tokenizer(std::string_view json) {
  Json root = parse_json(json);
  // "truncation" and "padding" are a matter of batches: kept, and applied by nobody.
  only_keys(root, "tokenizer",
            {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
             "post_processor", "decoder", "model"});
  const Json& version = root.get("version", "tokenizer");
  if (!version.is_null() && version.as_string("version") != kVersion)
    fail(ErrorCode::kUnsupported, "version: expected {}, got '{}'", kVersion,
         version.as_string("version"));
  PipelineSpec spec;
  spec.added = read_added(root.get("added_tokens", "tokenizer"));
  const Json& model = root.get("model", "tokenizer");
  const std::string kind = kind_of(model);
  if (kind == "BPE") {
    CharBpeSpec bpe = read_bpe(model);
    if (auto fast = byte_level_of(root, bpe, spec.added)) return fast;
    spec.model = std::make_unique<CharBpe>(bpe);
    spec.vocab = std::move(bpe.vocab);
  } else if (kind == "Unigram") {
    read_unigram(model, spec);
  } else if (kind == "WordPiece") {
    read_word_piece(model, spec);
  } else if (kind == "WordLevel") {
    read_word_level(model, spec);
  } else {
    fail(ErrorCode::kUnsupported,
         "model.type: expected BPE, Unigram, WordPiece or WordLevel, got '{}'", kind);
  }
  spec.root = std::move(root);
  return std::make_unique<PipelineTokenizer>(std::move(spec));
}

std::string write_byte_level_bpe(const ByteLevelBpeSpec& spec) {
  Json::Array added;
  for (const AddedToken& token : spec.added)
    added.push_back(Json(Json::Object{{"id", Json(std::int64_t{token.id})},
                                      {"content", Json(token.content)},
                                      {"single_word", Json(token.single_word)},
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
                               {"truncation", spec.truncation},
                               {"padding", spec.padding},
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
