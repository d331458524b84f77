#include "lathe/text/tokenize/unicode.h"

#include <gtest/gtest.h>

#include "lathe/text/tokenize/byte_alphabet.h"
#include "lathe/text/tokenize/normalize.h"
#include "lathe/text/tokenize/test_support.h"

namespace lathe::tokenize {
namespace {

TEST(Unicode, EveryCharacterIsReadBackAsWritten) {
  for (CodePoint c = 0; c < 0x110000; ++c) {
    if (c == 0xD800) c = 0xE000;
    std::string text;
    append_utf8(c, text);
    ASSERT_EQ(valid_char_size(text), text.size()) << c;
    const Decoded decoded = decode_valid(text.data());
    ASSERT_EQ(decoded.code, c);
    ASSERT_EQ(decoded.size, text.size());
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      ASSERT_EQ(valid_char_size(text.substr(0, cut)), 0u) << c;
      ASSERT_EQ(unfinished_suffix("ab" + text.substr(0, cut)), cut) << c;
    }
    ASSERT_EQ(unfinished_suffix(text), 0u) << c;
  }
}

TEST(Unicode, WhatIsNotUtf8IsRefused) {
  for (const char* bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80",
                          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(valid_char_size(bad), 0u) << bad;
    EXPECT_EQ(valid_prefix(std::string("abcdefghij") + bad), 10u) << bad;
    EXPECT_EQ(invalid_prefix(std::string(bad) + "a"), std::string(bad).size()) << bad;
    EXPECT_EQ(unfinished_suffix(bad), 0u) << bad;
  }
}

TEST(Unicode, PrefixesCoverEveryText) {
  Draw draw(1);
  for (int i = 0; i < 300; ++i) {
    const std::string text = draw.text(5) + draw.bytes(draw.below(6)) + draw.text(3);
    std::string_view rest = text;
    int runs = 0;
    while (!rest.empty()) {
      const std::size_t valid = valid_prefix(rest);
      for (std::size_t p = 0; p < valid; p += valid_char_size(rest.substr(p)))
        ASSERT_NE(valid_char_size(rest.substr(p)), 0u);
      rest.remove_prefix(valid);
      rest.remove_prefix(invalid_prefix(rest));
      ASSERT_LT(++runs, 100);
    }
  }
}

TEST(Unicode, ClassesOfKnownCharacters) {
  EXPECT_STREQ(tables::kUnicodeVersion, "16.0.0");
  EXPECT_EQ(char_class('a'), kLetter | kLower);
  EXPECT_EQ(char_class('A'), kLetter | kUpper);
  EXPECT_EQ(char_class('\n'), kSpace | kNewline);
  EXPECT_EQ(char_class(0x01C5), kLetter | kUpper);  // titlecase
  EXPECT_EQ(char_class(0x4E00), kLetter | kCaseless);
  EXPECT_EQ(char_class(0x0301), kCaseless);
  EXPECT_EQ(char_class(0x00B2), kNumber);
  EXPECT_EQ(char_class(0x0085), kSpace);
  EXPECT_EQ(char_class(0x180E), 0);  // a space once, a format character since Unicode 6.3
  EXPECT_EQ(char_class(0x10D4E), kLetter | kCaseless);  // Garay, new in Unicode 16
  EXPECT_EQ(char_class(0x088F), 0);                     // a letter from Unicode 17 on
  int letters = 0;
  for (CodePoint c = 0; c < 0x110000; ++c) letters += (char_class(c) & kLetter) != 0;
  EXPECT_EQ(letters, 141028);  // counted by regular expressions of tokenizers and tiktoken
}

TEST(Unicode, ByteAlphabetIsABijection) {
  std::string all;
  for (int b = 0; b < 256; ++b) all.push_back(static_cast<char>(b));
  EXPECT_EQ(from_alphabet(to_alphabet(all)), all);
  EXPECT_EQ(to_alphabet(" a\n"), "ĠaĊ");
  EXPECT_EQ(from_alphabet("a b"), std::nullopt);  // a space is no character of the alphabet
  EXPECT_EQ(from_alphabet("\xFF"), std::nullopt);
}

TEST(Normalize, AsTokenizersDoes) {
  for (const Json& pair : golden_cases().get("nfc", "cases").as_array("nfc")) {
    const std::vector<std::string> both = strings(pair);
    EXPECT_EQ(nfc(both[0]), both[1]);
    EXPECT_EQ(nfc(both[1]), both[1]);
  }
}

TEST(Normalize, LongRunsOfMarksAreOrderedInTime) {
  // Quadratic ordering would take minutes. Every U+0323 goes before every U+0301; e takes the first
  // U+0323 (U+1EB9), which composes with no U+0301.
  constexpr int kPairs = 150000;
  std::string text = "e", expected = "\xE1\xBA\xB9";
  for (int i = 0; i < kPairs; ++i) text += "\xCC\x81\xCC\xA3";
  for (int i = 1; i < kPairs; ++i) expected += "\xCC\xA3";
  for (int i = 0; i < kPairs; ++i) expected += "\xCC\x81";
  EXPECT_TRUE(nfc(text) == expected);
}

}  // namespace
}  // namespace lathe::tokenize
