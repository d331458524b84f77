#include "lathe/life/recipes/stop_strings.h"

#include <gtest/gtest.h>

#include "lathe/base/random.h"

namespace lathe::recipes {
namespace {

/// What is shown when the text comes in these pieces.
std::string shown(const std::vector<std::string>& strings, const std::vector<std::string>& pieces,
                  std::string* match = nullptr) {
  StopStrings stops(strings);
  std::string out;
  for (const std::string& piece : pieces) out += stops.push(piece);
  if (!stops.matched()) out += stops.finish();
  if (match != nullptr) *match = stops.match();
  return out;
}

TEST(StopStrings, EndsBeforeTheString) {
  std::string match;
  EXPECT_EQ(shown({"END"}, {"a E", "N", "D b"}, &match), "a ");
  EXPECT_EQ(match, "END");
  EXPECT_EQ(shown({"END"}, {"a EN", "d"}), "a ENd");
  EXPECT_EQ(shown({"END"}, {"a EN"}), "a EN");
  EXPECT_EQ(shown({}, {"a"}), "a");
  EXPECT_EQ(shown({""}, {"a"}), "a");
}

TEST(StopStrings, ShowsNoPartOfIt) {
  StopStrings stops({"\nUser:"});
  EXPECT_EQ(stops.push("Yes.\n"), "Yes.");
  EXPECT_EQ(stops.push("Us"), "");
  EXPECT_EQ(stops.push("e"), "");
  EXPECT_EQ(stops.push("d\n"), "\nUsed");
  EXPECT_EQ(stops.push("User: hello"), "");
  EXPECT_TRUE(stops.matched());
  EXPECT_EQ(stops.push("more"), "");
}

TEST(StopStrings, FindsStringsInsideBeginningsOfOthers) {
  EXPECT_EQ(shown({"aab"}, {"a", "a", "a", "b"}), "a");
  EXPECT_EQ(shown({"abcd", "bc"}, {"ab", "cx"}), "a");
  EXPECT_EQ(shown({"abab", "abc"}, {"ab", "abc"}), "");
  EXPECT_EQ(shown({"ababac"}, {"abab", "abac"}), "ab");
}

TEST(StopStrings, TheLongestOfThoseThatEndTogether) {
  std::string match;
  EXPECT_EQ(shown({"b", "ab"}, {"xa", "b"}, &match), "x");
  EXPECT_EQ(match, "ab");
}

/// Against looking at each end of the whole text, over an alphabet that repeats itself.
TEST(StopStrings, EqualsASearchInTheWholeText) {
  const RandomStream random(1, "stop strings");
  std::uint64_t draw = 0;
  const auto word = [&](std::size_t longest) {
    std::string text;
    for (std::uint64_t n = 1 + random.below(longest, draw++); n > 0; --n)
      text += static_cast<char>('a' + random.below(2, draw++));
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    const std::vector<std::string> strings = {word(5), word(4)};
    const std::string text = word(12);
    std::string expected = text;
    for (std::size_t end = 1; end <= text.size() && expected == text; ++end) {
      std::size_t longest = 0;
      for (const std::string& s : strings)
        if (text.substr(0, end).ends_with(s)) longest = std::max(longest, s.size());
      if (longest > 0) expected = text.substr(0, end - longest);
      if (longest > 0) break;
    }
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = 1 + random.below(3, draw++);
      pieces.push_back(text.substr(at, n));
      at += n;
    }
    ASSERT_EQ(shown(strings, pieces), expected) << text << " " << strings[0] << " " << strings[1];
  }
}

}  // namespace
}  // namespace lathe::recipes
