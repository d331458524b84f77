// Any tokenizer.json: normalizer, pre-tokenizer, model, decoder one after another.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "lathe/text/tokenize/added_tokens.h"
#include "lathe/text/tokenize/decoder.h"
#include "lathe/text/tokenize/json_tree.h"
#include "lathe/text/tokenize/normalizer.h"
#include "lathe/text/tokenize/pipeline.h"
#include "lathe/text/tokenize/pre_tokenizer.h"
#include "lathe/text/tokenize/token_table.h"
#include "lathe/text/tokenize/tokenizer.h"
#include "lathe/text/tokenize/word_model.h"

namespace lathe::tokenize {

struct PipelineSpec {
  Json root;  // the whole file
  std::vector<std::pair<std::string, std::int32_t>> vocab;
  std::vector<AddedToken> added;
  std::unique_ptr<WordModel> model;
};

class PipelineTokenizer final : public Tokenizer {
 public:
  /// Throws kCorrupt and kUnsupported as load_tokenizer does.
  explicit PipelineTokenizer(PipelineSpec spec);

  void encode_to(std::string_view text, bool parse_special,
                 std::vector<std::int32_t>& ids) const override;
  std::int64_t vocab_size() const override { return tokens_.size(); }
  bool has_id(std::int32_t id) const override { return tokens_.has(id); }
  std::optional<std::int32_t> id_of(std::string_view token) const override;
  std::string_view token_bytes(std::int32_t id) const override;
  bool is_special(std::int32_t id) const override { return tokens_.is_special(id); }
  bool is_lossless() const override { return false; }
  bool decodes_by_token() const override { return false; }
  std::span<const std::int32_t> sequence_prefix() const override { return around_.prefix; }
  std::span<const std::int32_t> sequence_suffix() const override { return around_.suffix; }
  std::string to_json() const override;

  const Json& root() const { return root_; }
  const TokenTable& tokens() const { return tokens_; }
  const std::vector<AddedToken>& added() const { return added_; }

 protected:
  std::string decode_ids(std::span<const std::int32_t> ids) const override;

 private:
  void read_added();
  void encode_plain(std::string_view text, bool at_start, bool parse_special,
                    std::vector<std::int32_t>& ids) const;
  void encode_pieces(std::string_view text, std::size_t head, std::vector<std::int32_t>& ids) const;
  const std::string& text_to_decode(std::int32_t id) const;
  std::string joined(std::vector<std::string> tokens) const;
  void write_token_bytes() const;

  Json root_;
  TokenTable tokens_;
  std::vector<AddedToken> added_;
  std::unique_ptr<WordModel> model_;
  std::unique_ptr<Normalizer> normalizer_;
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  std::unique_ptr<Decoder> decoder_;
  SequenceTemplate around_;
  AddedTokenFinder raw_added_, normalized_added_;
  std::unordered_map<std::int32_t, std::string> rewritten_;  // added tokens by normalization
  mutable std::once_flag bytes_written_;
  mutable std::vector<std::string> bytes_;  // by id, once asked for
};

/// `text` with U+FFFD for every byte that is no UTF-8.
std::string with_replacements(std::string_view text);

}  // namespace lathe::tokenize
