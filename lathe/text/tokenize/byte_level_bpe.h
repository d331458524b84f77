// The byte-level BPE tokenizer, and what a tokenizer.json of it holds.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lathe/text/tokenize/added_tokens.h"
#include "lathe/text/tokenize/bpe.h"
#include "lathe/text/tokenize/json_tree.h"
#include "lathe/text/tokenize/splitter.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::tokenize {

/// The contents of a tokenizer.json whose model is a BPE over the byte alphabet. Tokens are texts
/// of that alphabet, as in the file.
struct ByteLevelBpeSpec {
  std::vector<std::pair<std::string, std::int32_t>> vocab;  // by id
  std::vector<std::pair<std::string, std::string>> merges;  // by rank
  std::vector<AddedToken> added;                            // by id
  std::string unknown;                                      // empty: none
  bool fuse_unknown = false;
  bool ignore_merges = false;
  Json normalizer, pre_tokenizer, post_processor, decoder;
  Json truncation, padding;  // kept, and applied by nobody
};

class ByteLevelBpe final : public Tokenizer {
 public:
  /// Throws kCorrupt and kUnsupported as load_tokenizer does.
  explicit ByteLevelBpe(ByteLevelBpeSpec spec);

  void encode_to(std::string_view text, bool parse_special,
                 std::vector<std::int32_t>& ids) const override;
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(bytes_.size()); }
  bool has_id(std::int32_t id) const override;
  std::optional<std::int32_t> id_of(std::string_view token) const override;
  std::string_view token_bytes(std::int32_t id) const override;
  bool is_special(std::int32_t id) const override;
  bool is_lossless() const override { return lossless_; }
  std::span<const std::int32_t> sequence_prefix() const override { return prefix_; }
  std::span<const std::int32_t> sequence_suffix() const override { return suffix_; }
  std::string to_json() const override;

  const ByteLevelBpeSpec& spec() const { return spec_; }

 private:
  class WordSink;
  void read_vocab();
  void read_added();
  void read_merges();
  BpeOptions options();
  /// Says once that a text holds bytes of without_token_.
  void warn_of_loss(std::string_view text) const;
  void encode_plain(std::string_view text, bool parse_special,
                    std::vector<std::int32_t>& ids) const;
  void encode_valid(std::string_view text, bool parse_special,
                    std::vector<std::int32_t>& ids) const;
  void encode_pieces(std::string_view text, std::vector<std::int32_t>& ids) const;

  ByteLevelBpeSpec spec_;
  std::unordered_map<std::string, std::int32_t> id_of_text_;     // vocab
  std::unordered_map<std::string, std::int32_t> id_of_content_;  // added tokens
  std::vector<std::string> bytes_;                               // by id
  std::vector<bool> present_, special_;                          // by id
  std::vector<std::int32_t> prefix_, suffix_;
  bool nfc_ = false, add_prefix_space_ = false, lossless_ = false;
  std::unique_ptr<Splitter> splitter_;
  AddedTokenFinder raw_added_, normalized_added_;
  std::unique_ptr<Bpe> bpe_;
  std::string without_token_;  // bytes that are
  mutable std::atomic<bool> warned_ = false;
};

/// Writes it as tokenizers' save() does.
std::string write_byte_level_bpe(const ByteLevelBpeSpec& spec);

}  // namespace lathe::tokenize
