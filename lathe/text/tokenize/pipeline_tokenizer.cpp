#include "lathe/text/tokenize/pipeline_tokenizer.h"

#include "lathe/base/error.h"

namespace lathe::tokenize {

std::string with_replacements(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  while (!text.empty()) {
    const std::size_t valid = valid_prefix(text);
    out += text.substr(0, valid);
    text.remove_prefix(valid);
    const std::size_t invalid = invalid_prefix(text);
    for (std::size_t i = 0; i < invalid; ++i) out += "\xEF\xBF\xBD";
    text.remove_prefix(invalid);
  }
  return out;
}

PipelineTokenizer::PipelineTokenizer(PipelineSpec spec)
    : root_(std::move(spec.root)),
      tokens_(spec.vocab, spec.added),
      added_(std::move(spec.added)),
      model_(std::move(spec.model)),
      normalizer_(read_normalizer(root_.get("normalizer", "tokenizer"), "normalizer")),
      pre_tokenizer_(read_pre_tokenizer(root_.get("pre_tokenizer", "tokenizer"), "pre_tokenizer")),
      decoder_(read_decoder(root_.get("decoder", "tokenizer"), "decoder")),
      around_(read_post_processor(root_.get("post_processor", "tokenizer"))) {
  for (const auto& ids : {around_.prefix, around_.suffix})
    for (const std::int32_t id : ids)
      if (!has_id(id)) fail(ErrorCode::kCorrupt, "post_processor: id {} names no token", id);
  read_added();
}

void PipelineTokenizer::read_added() {
  for (const AddedToken& token : added_) {
    AddedToken sought = token;
    if (token.normalized && normalizer_ != nullptr) {
      NormalText content{token.content, 0};
      normalizer_->apply(content);
      sought.content = std::move(content.text);
      if (sought.content != token.content) rewritten_.emplace(token.id, sought.content);
    }
    if (sought.content.empty()) continue;
    (token.normalized ? normalized_added_ : raw_added_).add(sought);
  }
}

std::optional<std::int32_t> PipelineTokenizer::id_of(std::string_view token) const {
  return tokens_.id_of(token);
}

void PipelineTokenizer::encode_to(std::string_view text, bool parse_special,
                                  std::vector<std::int32_t>& ids) const {
  std::string repaired;
  if (valid_prefix(text) != text.size()) text = repaired = with_replacements(text);
  raw_added_.each(
      text, parse_special,
      [&](std::string_view part) {
        encode_plain(part, part.data() == text.data(), parse_special, ids);
      },
      [&](std::int32_t id) { ids.push_back(id); });
}

void PipelineTokenizer::encode_plain(std::string_view text, bool at_start, bool parse_special,
                                     std::vector<std::int32_t>& ids) const {
  NormalText normal{std::string(text), at_start ? decode_valid(text.data()).size : 0};
  if (normalizer_ != nullptr) normalizer_->apply(normal);
  normalized_added_.each(
      normal.text, parse_special,
      [&](std::string_view part) {
        const auto offset = static_cast<std::size_t>(part.data() - normal.text.data());
        encode_pieces(part, normal.head - std::min(normal.head, offset), ids);
      },
      [&](std::int32_t id) { ids.push_back(id); });
}

void PipelineTokenizer::encode_pieces(std::string_view text, std::size_t head,
                                      std::vector<std::int32_t>& ids) const {
  if (pre_tokenizer_ == nullptr) return model_->encode(text, ids);
  Pieces pieces{std::string(text), {{0, text.size()}}, head};
  pre_tokenizer_->apply(pieces);
  for (const Span span : pieces.spans)
    model_->encode(std::string_view(pieces.text).substr(span.begin, span.end - span.begin), ids);
}

std::string PipelineTokenizer::joined(std::vector<std::string> tokens) const {
  if (decoder_ != nullptr) decoder_->apply(tokens);
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && decoder_ == nullptr) text += ' ';
    text += tokens[i];
  }
  return text;
}

/// As tokenizers has it: an added token that is sought in normalized text is written normalized.
const std::string& PipelineTokenizer::text_to_decode(std::int32_t id) const {
  const auto found = rewritten_.find(id);
  return found == rewritten_.end() ? tokens_.text(id) : found->second;
}

std::string PipelineTokenizer::decode_ids(std::span<const std::int32_t> ids) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t id : ids) {
    check_id(id);
    tokens.push_back(text_to_decode(id));
  }
  return joined(std::move(tokens));
}

/// What a token writes behind another one.
void PipelineTokenizer::write_token_bytes() const {
  const std::string before = "x";
  const std::size_t skipped = joined({before}).size();
  bytes_.resize(static_cast<std::size_t>(tokens_.size()));
  for (std::int32_t id = 0; id < tokens_.size(); ++id) {
    if (!tokens_.has(id)) continue;
    const std::string both = joined({before, text_to_decode(id)});
    if (both.size() > skipped) bytes_[static_cast<std::size_t>(id)] = both.substr(skipped);
  }
}

std::string_view PipelineTokenizer::token_bytes(std::int32_t id) const {
  check_id(id);
  std::call_once(bytes_written_, [this] { write_token_bytes(); });
  return bytes_[static_cast<std::size_t>(id)];
}

std::string PipelineTokenizer::to_json() const {
  std::string out;
  root_.write(out, 0);
  return out;
}

}  // namespace lathe::tokenize
