// A SentencePiece model as a tokenizer.json, the way transformers converts it.
#include <algorithm>
#include <array>

#include "lathe/text/tokenize/sentencepiece.h"
#include "lathe/text/tokenize/template_json.h"
#include "lathe/text/tokenize/unicode.h"
#include "lathe/text/tokenize/word_starts.h"

namespace lathe::tokenize {
namespace {

Json string(std::string_view text) { return Json(std::string(text)); }
Json number(std::int64_t value) { return Json(value); }

Json typed(std::string_view type, Json::Object rest = {}) {
  rest.insert(rest.begin(), {"type", string(type)});
  return Json(std::move(rest));
}

Json replace(Json::Object pattern, std::string_view content) {
  return typed("Replace", {{"pattern", Json(std::move(pattern))}, {"content", string(content)}});
}

Json space_to(std::string_view content) { return replace({{"String", string(" ")}}, content); }

Json normalizer_of(const SentencePieceSpec& spec) {
  Json::Array parts;
  if (!spec.charsmap.empty())
    parts.push_back(
        typed("Precompiled", {{"precompiled_charsmap", string(to_base64(spec.charsmap))}}));
  if (spec.remove_extra_whitespaces) {
    if (spec.unigram)
      parts.push_back(typed("Strip", {{"strip_left", Json(true)}, {"strip_right", Json(true)}}));
    parts.push_back(replace({{"Regex", string(" {2,}")}}, " "));
  }
  if (!spec.unigram) {
    if (spec.add_dummy_prefix) parts.push_back(typed("Prepend", {{"prepend", string(kWordMark)}}));
    parts.push_back(space_to(kWordMark));
  }
  return typed("Sequence", {{"normalizers", Json(std::move(parts))}});
}

Json metaspace(const SentencePieceSpec& spec) {
  return typed("Metaspace", {{"replacement", string(kWordMark)},
                             {"prepend_scheme", string(spec.add_dummy_prefix ? "always" : "never")},
                             {"split", Json(spec.unigram)}});
}

Json decoder_of(const SentencePieceSpec& spec) {
  Json::Array parts;
  parts.push_back(replace({{"String", string(kWordMark)}}, " "));
  parts.push_back(typed("ByteFallback"));
  parts.push_back(typed("Fuse"));
  if (spec.add_dummy_prefix)
    parts.push_back(
        typed("Strip", {{"content", string(" ")}, {"start", number(1)}, {"stop", number(0)}}));
  return typed("Sequence", {{"decoders", Json(std::move(parts))}});
}

/// Every way to make a piece of two others, as merges: best score first, then by the parts' ids.
Json merges_of(const SentencePiece& tokenizer) {
  struct Row {
    float score;
    std::int32_t left, right;
  };
  const auto& pieces = tokenizer.spec().pieces;
  std::vector<Row> rows;
  for (const SentencePieceSpec::Piece& piece : pieces) {
    if (piece.type != TokenType::kNormal) continue;
    const std::string_view text = piece.text;
    const std::size_t first = rows.size();
    for (std::size_t cut = decode_valid(text.data()).size; cut < text.size();
         cut += decode_valid(text.data() + cut).size) {
      const auto left = tokenizer.id_of(text.substr(0, cut)),
                 right = tokenizer.id_of(text.substr(cut));
      if (left && right) rows.push_back({piece.score, *left, *right});
    }
    std::sort(rows.begin() + static_cast<std::ptrdiff_t>(first), rows.end(),
              [](const Row& a, const Row& b) {
                return std::array{a.left, a.right} < std::array{b.left, b.right};
              });
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.score > b.score; });
  Json::Array merges;
  for (const Row& row : rows)
    merges.push_back(Json(Json::Array{string(pieces[static_cast<std::size_t>(row.left)].text),
                                      string(pieces[static_cast<std::size_t>(row.right)].text)}));
  return Json(std::move(merges));
}

Json model_of(const SentencePiece& tokenizer) {
  const SentencePieceSpec& spec = tokenizer.spec();
  const bool bytes = spec.byte_fallback || spec.like_llama_cpp;
  if (spec.unigram) {
    Json::Array vocab;
    for (const SentencePieceSpec::Piece& piece : spec.pieces)
      vocab.push_back(
          Json(Json::Array{string(piece.text), Json(static_cast<double>(piece.score))}));
    return typed("Unigram", {{"unk_id", spec.unknown < 0 ? Json() : number(spec.unknown)},
                             {"vocab", Json(std::move(vocab))},
                             {"byte_fallback", Json(bytes)}});
  }
  Json::Object vocab;
  std::int64_t id = 0;
  for (const SentencePieceSpec::Piece& piece : spec.pieces)
    vocab.emplace_back(piece.text, number(id++));
  const Json unknown =
      spec.unknown < 0 ? Json() : string(spec.pieces[static_cast<std::size_t>(spec.unknown)].text);
  return typed("BPE", {{"dropout", Json()},
                       {"unk_token", unknown},
                       {"continuing_subword_prefix", Json()},
                       {"end_of_word_suffix", Json()},
                       {"fuse_unk", Json(true)},
                       {"byte_fallback", Json(bytes)},
                       {"ignore_merges", Json(false)},
                       {"vocab", Json(std::move(vocab))},
                       {"merges", merges_of(tokenizer)}});
}

Json added_of(const SentencePieceSpec& spec) {
  Json::Array added;
  for (std::size_t id = 0; id < spec.pieces.size(); ++id) {
    const SentencePieceSpec::Piece& piece = spec.pieces[id];
    const bool named = piece.type == TokenType::kControl || piece.type == TokenType::kUnknown;
    if (piece.text.empty() || (!named && piece.type != TokenType::kUserDefined)) continue;
    added.push_back(Json(Json::Object{{"id", number(static_cast<std::int64_t>(id))},
                                      {"content", string(piece.text)},
                                      {"single_word", Json(false)},
                                      {"lstrip", Json(false)},
                                      {"rstrip", Json(false)},
                                      {"normalized", Json(false)},
                                      {"special", Json(named)}}));
  }
  return Json(std::move(added));
}

Json around(const SentencePiece& tokenizer) {
  const auto token = [&](std::span<const std::int32_t> ids) {
    std::optional<NamedId> named;
    if (!ids.empty())
      named = NamedId{tokenizer.spec().pieces[static_cast<std::size_t>(ids[0])].text, ids[0]};
    return named;
  };
  return template_json(token(tokenizer.sequence_prefix()), token(tokenizer.sequence_suffix()));
}

}  // namespace

std::string SentencePiece::to_json() const {
  const Json root(Json::Object{{"version", string("1.0")},
                               {"truncation", Json()},
                               {"padding", Json()},
                               {"added_tokens", added_of(spec_)},
                               {"normalizer", normalizer_of(spec_)},
                               {"pre_tokenizer", spec_.unigram ? metaspace(spec_) : Json()},
                               {"post_processor", around(*this)},
                               {"decoder", decoder_of(spec_)},
                               {"model", model_of(*this)}});
  std::string out;
  root.write(out, 0);
  return out;
}

}  // namespace lathe::tokenize
