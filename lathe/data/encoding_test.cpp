#include "lathe/data/encoding.h"

#include <gtest/gtest.h>

#include "lathe/data/test_files.h"

namespace lathe::data {
namespace {

/// Letters a to e, and where given an end of text.
class Letters final : public tokenize::Tokenizer {
 public:
  explicit Letters(bool with_eos) : with_eos_(with_eos) {}

  void encode_to(std::string_view text, bool parse_special,
                 std::vector<std::int32_t>& ids) const override {
    EXPECT_FALSE(parse_special);
    for (const char c : text) ids.push_back(c - 'a');
  }
  std::int64_t vocab_size() const override { return 8; }
  bool has_id(std::int32_t id) const override { return id < 5 || (with_eos_ && id == 7); }
  std::optional<std::int32_t> id_of(std::string_view token) const override {
    if (with_eos_ && token == "<|endoftext|>") return 7;
    return std::nullopt;
  }
  std::string_view token_bytes(std::int32_t id) const override {
    if (!has_id(id)) fail(ErrorCode::kInvalidArgument, "no such id");
    return id == 7 ? std::string_view("<|endoftext|>") : std::string_view("abcde").substr(id, 1);
  }
  bool is_special(std::int32_t id) const override { return id == 7; }
  bool is_lossless() const override { return false; }
  std::string to_json() const override { return with_eos_ ? "with" : "without"; }

 private:
  bool with_eos_;
};

TEST(EncodingOf, TakesOverWhatTheTokenizerSays) {
  const Letters with(true), without(false);
  const Encoding e = encoding_of(with, true, false);
  std::vector<std::int32_t> ids;
  e.encode("cab", ids);
  EXPECT_EQ(ids, (std::vector<std::int32_t>{2, 0, 1}));
  EXPECT_EQ(e.eos, 7);
  EXPECT_FALSE(e.bos.has_value());
  // Special tokens and holes stand for no bytes.
  EXPECT_EQ(e.bytes_of_id, (std::vector<std::int32_t>{1, 1, 1, 1, 1, 0, 0, 0}));
  EXPECT_NE(e.key, encoding_of(without, false, false).key);
}

TEST(EncodingOf, MissingSpecialTokensAreErrors) {
  const Letters with(true), without(false);
  EXPECT_NE(error_of([&] { encoding_of(without, true, false); }).find("data.eos"),
            std::string::npos);
  EXPECT_NE(error_of([&] { encoding_of(with, true, true); }).find("data.bos"), std::string::npos);
}

}  // namespace
}  // namespace lathe::data
