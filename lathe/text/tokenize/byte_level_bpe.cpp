#include "lathe/text/tokenize/byte_level_bpe.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/base/log.h"
#include "lathe/text/tokenize/byte_alphabet.h"
#include "lathe/text/tokenize/normalize.h"
#include "lathe/text/tokenize/pipeline.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {
namespace {

/// A file may leave holes between ids, but not make us reserve memory for billions.
std::size_t largest_table(const ByteLevelBpeSpec& spec) {
  return 65536 + 4 * (spec.vocab.size() + spec.added.size());
}

void check_new_id(std::int32_t id, std::size_t limit, const std::string& token) {
  if (id < 0 || static_cast<std::size_t>(id) >= limit)
    fail(ErrorCode::kCorrupt, "token '{}': expected an id from 0 to {}, got {}", token, limit - 1,
         id);
}

}  // namespace

/// Merges each piece of a text.
class ByteLevelBpe::WordSink final : public SpanSink {
 public:
  WordSink(std::string_view text, const Bpe& bpe, std::vector<std::int32_t>& ids)
      : text_(text), bpe_(bpe), ids_(ids) {}

 protected:
  void take(std::span<const Span> spans) override {
    for (const Span span : spans)
      bpe_.encode({text_.data() + span.begin, span.end - span.begin}, ids_);
  }

 private:
  std::string_view text_;
  const Bpe& bpe_;
  std::vector<std::int32_t>& ids_;
};

ByteLevelBpe::ByteLevelBpe(ByteLevelBpeSpec spec) : spec_(std::move(spec)) {
  std::optional<ByteLevelParts> parts =
      byte_level_parts(spec_.normalizer, spec_.pre_tokenizer, spec_.decoder);
  if (!parts)
    fail(ErrorCode::kUnsupported,
         "pre_tokenizer: expected one that ends in ByteLevel, and no normalizer but NFC");
  nfc_ = parts->nfc;
  splitter_ = std::move(parts->splitter);
  add_prefix_space_ = parts->add_prefix_space;
  read_vocab();
  read_merges();
  read_added();
  SequenceTemplate around = read_post_processor(spec_.post_processor);
  prefix_ = std::move(around.prefix);
  suffix_ = std::move(around.suffix);
  for (const auto& ids : {prefix_, suffix_})
    for (const std::int32_t id : ids)
      if (!has_id(id)) fail(ErrorCode::kCorrupt, "post_processor: id {} names no token", id);
}

void ByteLevelBpe::read_vocab() {
  const std::size_t limit = largest_table(spec_);
  std::sort(spec_.vocab.begin(), spec_.vocab.end(),
            [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const auto& [text, id] : spec_.vocab) {
    check_new_id(id, limit, text);
    const auto at = static_cast<std::size_t>(id);
    if (at < present_.size())
      fail(ErrorCode::kCorrupt, "model.vocab: the id {} stands twice, the second time for '{}'", id,
           text);
    if (!id_of_text_.emplace(text, id).second)
      fail(ErrorCode::kCorrupt, "model.vocab: the token '{}' stands twice", text);
    bytes_.resize(at + 1);
    present_.resize(at + 1);
    bytes_[at] = from_alphabet(text).value_or(text);
    present_[at] = true;
  }
}

void ByteLevelBpe::read_merges() {
  std::vector<Merge> merges;
  merges.reserve(spec_.merges.size());
  const auto id_of_part = [&](const std::string& text, std::size_t rank) {
    const auto found = id_of_text_.find(text);
    if (found == id_of_text_.end())
      fail(ErrorCode::kCorrupt, "model.merges[{}]: '{}' is not in model.vocab", rank, text);
    return found->second;
  };
  for (const auto& [left, right] : spec_.merges) {
    const std::size_t rank = merges.size();
    merges.push_back(
        {id_of_part(left, rank), id_of_part(right, rank), id_of_part(left + right, rank)});
  }
  // Only tokens of the byte alphabet can come out of merging.
  std::vector<std::string> words(bytes_.size());
  for (const auto& [text, id] : spec_.vocab)
    if (from_alphabet(text))
      words[static_cast<std::size_t>(id)] = bytes_[static_cast<std::size_t>(id)];
  bpe_ = std::make_unique<Bpe>(words, merges, options());
}

BpeOptions ByteLevelBpe::options() {
  BpeOptions options;
  options.fuse_unknown = spec_.fuse_unknown;
  options.whole_words_first = spec_.ignore_merges;
  if (!spec_.unknown.empty()) {
    const auto found = id_of_text_.find(spec_.unknown);
    if (found == id_of_text_.end())
      fail(ErrorCode::kCorrupt, "model.unk_token: '{}' is not in model.vocab", spec_.unknown);
    options.unknown = found->second;
  }
  int missing = 0;
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    const auto found = id_of_text_.find(to_alphabet({&byte, 1}));
    options.byte_ids[static_cast<std::size_t>(b)] = found == id_of_text_.end() ? -1 : found->second;
    if (found != id_of_text_.end()) continue;
    ++missing;
    if (spec_.unknown.empty()) without_token_ += byte;
  }
  lossless_ = missing == 0 && !nfc_ && !add_prefix_space_;
  return options;
}

void ByteLevelBpe::read_added() {
  const std::size_t limit = largest_table(spec_);
  std::sort(spec_.added.begin(), spec_.added.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  special_.resize(bytes_.size());
  std::int32_t before = -1;
  for (const AddedToken& token : spec_.added) {
    check_new_id(token.id, limit, token.content);
    if (token.content.empty())
      fail(ErrorCode::kCorrupt, "added_tokens: the token of id {} has no content", token.id);
    if (token.id == before || !id_of_content_.emplace(token.content, token.id).second)
      fail(ErrorCode::kCorrupt, "added_tokens: '{}' or its id {} stands twice", token.content,
           token.id);
    before = token.id;
    const auto at = static_cast<std::size_t>(token.id);
    const auto known = id_of_text_.find(token.content);
    if (known != id_of_text_.end() ? known->second != token.id : has_id(token.id))
      fail(ErrorCode::kCorrupt, "added_tokens: '{}' has the id {}, model.vocab says otherwise",
           token.content, token.id);
    if (at >= bytes_.size()) {
      bytes_.resize(at + 1);
      present_.resize(at + 1);
      special_.resize(at + 1);
    }
    bytes_[at] = token.content;
    present_[at] = true;
    special_[at] = token.special;
    if (token.lstrip || token.rstrip) lossless_ = false;
    AddedToken sought = token;
    if (token.normalized && nfc_) bytes_[at] = sought.content = nfc(token.content);
    (token.normalized ? normalized_added_ : raw_added_).add(sought);
  }
}

bool ByteLevelBpe::has_id(std::int32_t id) const {
  return id >= 0 && static_cast<std::size_t>(id) < present_.size() &&
         present_[static_cast<std::size_t>(id)];
}

std::optional<std::int32_t> ByteLevelBpe::id_of(std::string_view token) const {
  if (const auto found = id_of_content_.find(std::string(token)); found != id_of_content_.end())
    return found->second;
  if (const auto found = id_of_text_.find(to_alphabet(token)); found != id_of_text_.end())
    return found->second;
  return std::nullopt;
}

std::string_view ByteLevelBpe::token_bytes(std::int32_t id) const {
  check_id(id);
  return bytes_[static_cast<std::size_t>(id)];
}

bool ByteLevelBpe::is_special(std::int32_t id) const {
  return has_id(id) && special_[static_cast<std::size_t>(id)];
}

void ByteLevelBpe::warn_of_loss(std::string_view text) const {
  const std::size_t at = text.find_first_of(without_token_);
  if (at == std::string_view::npos || warned_.exchange(true)) return;
  log::warning(
      "tokenizer: byte 0x{:02X} of the text has no token and is lost, as in Hugging Face "
      "tokenizers",
      static_cast<unsigned>(static_cast<unsigned char>(text[at])));
}

void ByteLevelBpe::encode_to(std::string_view text, bool parse_special,
                             std::vector<std::int32_t>& ids) const {
  if (!without_token_.empty() && !warned_) warn_of_loss(text);
  raw_added_.each(
      text, parse_special, [&](std::string_view part) { encode_plain(part, parse_special, ids); },
      [&](std::int32_t id) { ids.push_back(id); });
}

void ByteLevelBpe::encode_plain(std::string_view text, bool parse_special,
                                std::vector<std::int32_t>& ids) const {
  while (!text.empty()) {
    const std::size_t valid = valid_prefix(text);
    encode_valid(text.substr(0, valid), parse_special, ids);
    text.remove_prefix(valid);
    // Bytes that are not UTF-8: each run of them is a piece of its own.
    const std::size_t invalid = invalid_prefix(text);
    if (invalid != 0) bpe_->encode(text.substr(0, invalid), ids);
    text.remove_prefix(invalid);
  }
}

void ByteLevelBpe::encode_valid(std::string_view text, bool parse_special,
                                std::vector<std::int32_t>& ids) const {
  std::string normalized;
  if (nfc_ && !is_surely_nfc(text)) {
    normalized = nfc(text);
    text = normalized;
  }
  normalized_added_.each(
      text, parse_special, [&](std::string_view part) { encode_pieces(part, ids); },
      [&](std::int32_t id) { ids.push_back(id); });
}

void ByteLevelBpe::encode_pieces(std::string_view text, std::vector<std::int32_t>& ids) const {
  if (text.empty()) return;
  std::string prefixed;
  if (add_prefix_space_ && text[0] != ' ') {
    prefixed = " " + std::string(text);
    text = prefixed;
  }
  WordSink sink(text, *bpe_, ids);
  splitter_->split(text, sink);
}

std::string ByteLevelBpe::to_json() const { return write_byte_level_bpe(spec_); }

}  // namespace lathe::tokenize
