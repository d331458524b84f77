// Bytes to ids and back: what the rest of Lathe knows of a tokenizer.
//
//   auto tokenizer = tokenize::load_tokenizer("runs/first/tokenizer.json");
//   std::vector<std::int32_t> ids = tokenizer->encode("Once upon a time");
//   std::string text = tokenizer->decode(ids);
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::tokenize {

/// What special tokens are for.
enum class Role : std::uint8_t {
  kBos,      // beginning of a text
  kEos,      // end of a text
  kEot,      // end of a turn
  kEom,      // end of a message, where a tool answers next
  kUnknown,  // stands for what has no token
  kPadding,
  kSeparator,
  kCls,
  kMask
};
inline constexpr int kRoles = 9;

/// One tokenizer, immutable after loading: every function may be called from any thread at once.
///
/// Text is bytes. Bytes that are not UTF-8 are tokens like any others; decode(encode(x)) == x for
/// every x wherever is_lossless() says so.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Appends the ids of `text`. With parse_special, the names of special tokens in the text become
  /// those tokens; without, they are ordinary characters (text from outside must never command).
  /// Throws kInvalidArgument where a regular expression of the tokenizer gives up on the text.
  virtual void encode_to(std::string_view text, bool parse_special,
                         std::vector<std::int32_t>& ids) const = 0;

  std::vector<std::int32_t> encode(std::string_view text, bool parse_special = false) const {
    std::vector<std::int32_t> ids;
    encode_to(text, parse_special, ids);
    return ids;
  }

  /// The text of the ids: special tokens as their names, or left out with skip_special. Byte-level
  /// tokenizers write their tokens' bytes one after another; others also do what their file says of
  /// the beginning of a text (a leading space is dropped). The bytes may end inside a character
  /// (StreamDecoder). Throws kInvalidArgument for an id that names nothing.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special = false) const;

  /// Whether decode() is token_bytes() of the ids one after another.
  virtual bool decodes_by_token() const { return true; }

  /// Ids are 0 .. vocab_size() - 1; there may be holes.
  virtual std::int64_t vocab_size() const = 0;

  /// Whether some token has this id.
  virtual bool has_id(std::int32_t id) const = 0;

  /// The token with exactly these bytes (a special one: its name), if there is one.
  virtual std::optional<std::int32_t> id_of(std::string_view token) const = 0;

  /// What decode() writes for the id behind others. Throws kInvalidArgument for an id that names
  /// nothing.
  virtual std::string_view token_bytes(std::int32_t id) const = 0;

  virtual bool is_special(std::int32_t id) const = 0;

  /// Whether every sequence of bytes survives encode and decode: false for a vocabulary that lacks
  /// bytes, or a normaliser that changes text.
  virtual bool is_lossless() const = 0;

  /// Special ids that the file puts before and after a text ("post_processor"); encode() leaves
  /// them out, whoever builds a sequence for a model adds them.
  virtual std::span<const std::int32_t> sequence_prefix() const { return {}; }
  virtual std::span<const std::int32_t> sequence_suffix() const { return {}; }

  /// The file's contents, byte for byte the same for equal tokenizers ("tokenizer.json").
  virtual std::string to_json() const = 0;

  /// The token of a role: the id that the file names (GGUF, tokenizer_config.json), otherwise the
  /// special token with the first of the well-known names of the role that exists.
  std::optional<std::int32_t> role(Role role) const;
  void set_role(Role role, std::optional<std::int32_t> id);

  /// The end of a text and its beginning: role(Role::kEos), role(Role::kBos).
  std::optional<std::int32_t> eos_id() const { return role(Role::kEos); }
  std::optional<std::int32_t> bos_id() const { return role(Role::kBos); }

  /// Ids after which a model has nothing more to say: the end of a text, of a turn, of a message,
  /// by role and by well-known names of special tokens. Ascending.
  std::vector<std::int32_t> stop_ids() const;

  /// encode() with sequence_prefix() before and sequence_suffix() behind: what Hugging Face calls
  /// add_special_tokens.
  std::vector<std::int32_t> encode_sequence(std::string_view text,
                                            bool parse_special = false) const;

 protected:
  /// decode() of ids that are all wanted.
  virtual std::string decode_ids(std::span<const std::int32_t> ids) const;

  /// Throws kInvalidArgument for an id that names nothing.
  void check_id(std::int32_t id) const;

 private:
  std::optional<std::int32_t> first_special(std::span<const std::string_view> names) const;

  std::array<std::optional<std::int32_t>, kRoles> roles_;
};

/// Reads a Hugging Face tokenizer.json, or the one in a folder, or a tiktoken file "x.tiktoken"
/// with "x.json" (pat_str, special_tokens) beside it. Throws kNotFound; kCorrupt with the key for
/// what contradicts itself; kUnsupported with the key for what is not implemented: a file is never
/// read approximately.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& tokenizer_json);

/// As load_tokenizer, from the contents of the file.
std::unique_ptr<Tokenizer> parse_tokenizer(std::string_view json);

/// Writes tokenizer.to_json() aside and renames it to `path`. Throws kIo.
void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& path);

}  // namespace lathe::tokenize
