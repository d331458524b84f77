#include "lathe/data/text.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace lathe::data {
namespace {

TEST(Text, Utf8EndsWhereItBreaks) {
  const std::vector<std::pair<std::string, std::size_t>> cases = {
      {"plain", 5},        {"\u00e9\u4e16\U0001F600", 9},
      {"a\x80", 1},        {"\xc0\xaf", 0},
      {"\xe0\x80\x80", 0}, {"\xf0\x80\x80\x80", 0},
      {"\xed\xa0\x80", 0}, {"\xf4\x90\x80\x80", 0},
      {"ab\xe4\xb8", 2},   {"\xf5\x80\x80\x80", 0},
      {"\xfe", 0},         {std::string("a\0b", 3), 3}};
  for (const auto& [text, end] : cases) {
    EXPECT_EQ(first_bad_utf8(text), end) << text;
    EXPECT_EQ(is_utf8(text), end == text.size());
  }
}

/// Both checkers agree on every sequence of two bytes and on neighbours of every third.
TEST(Text, TheTwoUtf8CheckersAgree) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      for (const int c : {0x00, 0x7F, 0x80, 0xBF, 0xC0}) {
        std::string text = {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
        for (const char* end : {"", "\x80", "\xBF"}) {
          const std::string whole = text + end;
          ASSERT_EQ(is_utf8(whole), first_bad_utf8(whole) == whole.size())
              << a << " " << b << " " << c;
        }
      }
    }
  }
}

TEST(Text, CrlfBecomesLf) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"", ""},
                                                                  {"a\nb", "a\nb"},
                                                                  {"a\r\nb\r\n", "a\nb\n"},
                                                                  {"\r\n", "\n"},
                                                                  {"a\rb", "a\rb"},
                                                                  {"\r\r\n", "\n"},
                                                                  {"x\r\r\r\ny\r", "x\ny\r"},
                                                                  {"\r\n\r\n", "\n\n"},
                                                                  {"a\r\n\rb\r\r", "a\n\rb\r\r"}};
  for (const auto& [from, to] : cases) {
    std::string text = from;
    convert_crlf(text);
    EXPECT_EQ(text, to);
  }
  std::string many = "1\r\n2\n3\r\r\n";
  EXPECT_EQ(convert_crlf(many), 2);
}

TEST(Text, CutsAtLineEndsThenSpacesThenCharacters) {
  EXPECT_EQ(cut_point("0123\n56 8", 8), 5U);
  EXPECT_EQ(cut_point("\n1234 6789", 8), 5U);  // the line end is too early
  EXPECT_EQ(cut_point("0123456789", 8), 8U);
  EXPECT_EQ(cut_point("0123456\u4e16", 8), 7U);  // not inside a character
  EXPECT_EQ(cut_point("01234567\u4e16", 8), 8U);
  EXPECT_EQ(cut_point("0123456\r\n", 8), 7U);            // not inside CR LF
  EXPECT_EQ(cut_point(std::string(20, '\x80'), 8), 8U);  // not UTF-8: anywhere
}

}  // namespace
}  // namespace lathe::data
