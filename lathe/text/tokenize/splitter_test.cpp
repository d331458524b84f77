#include "lathe/text/tokenize/splitter.h"

#include <gtest/gtest.h>

#include <numeric>

#include "lathe/base/clock.h"
#include "lathe/base/error.h"
#include "lathe/text/tokenize/regex_dialect.h"
#include "lathe/text/tokenize/test_support.h"

namespace lathe::tokenize {
namespace {

std::vector<std::int32_t> sizes(const std::vector<std::string>& pieces) {
  std::vector<std::int32_t> out;
  for (const std::string& piece : pieces) out.push_back(static_cast<std::int32_t>(piece.size()));
  return out;
}

using Pieces = std::vector<std::string>;

class WellKnown : public testing::TestWithParam<const char*> {};

TEST_P(WellKnown, CutsAsTokenizersDoes) {
  const auto by_hand = make_pattern_splitter(well_known_pattern(GetParam()));
  const Json& cases = golden_cases();
  const std::vector<std::string> texts = strings(cases.get("texts", "cases"));
  const Json::Array& expected =
      cases.get("pieces", "cases").get(GetParam(), "pieces").as_array("pieces");
  ASSERT_EQ(texts.size(), expected.size());
  for (std::size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(sizes(pieces_of(*by_hand, texts[i])), integers(expected[i])) << texts[i];
}

TEST_P(WellKnown, ByHandIsAsPcre2) {
  const auto by_hand = make_pattern_splitter(well_known_pattern(GetParam()));
  const auto by_regex = make_regex_splitter(well_known_pattern(GetParam()));
  Draw draw(2);
  for (int i = 0; i < 3000; ++i) {
    const std::string text = draw.text(1 + draw.below(24));
    ASSERT_EQ(pieces_of(*by_hand, text), pieces_of(*by_regex, text)) << text;
  }
}

TEST_P(WellKnown, PiecesJoinToTheText) {
  const auto splitter = make_pattern_splitter(well_known_pattern(GetParam()));
  Draw draw(3);
  for (int i = 0; i < 200; ++i) {
    const std::string text = draw.text(400);
    const Pieces pieces = pieces_of(*splitter, text);
    EXPECT_EQ(std::accumulate(pieces.begin(), pieces.end(), std::string()), text);
    for (const std::string& piece : pieces) EXPECT_FALSE(piece.empty());
  }
}

TEST_P(WellKnown, AMegabyteOfOneClassTakesLinearTime) {
  const auto splitter = make_pattern_splitter(well_known_pattern(GetParam()));
  for (const char* one :
       {"a", "A", "7", " ", "\n", "\r\n", "!", " \n", "'", "\xCC\x81", "a ", "語"}) {
    std::string text;
    while (text.size() < (1u << 20)) text += one;
    const double start = steady_clock().seconds();
    const Pieces pieces = pieces_of(*splitter, text);
    EXPECT_LT(steady_clock().seconds() - start, 5) << one;  // quadratic: hours
    EXPECT_EQ(std::accumulate(pieces.begin(), pieces.end(), std::string()).size(), text.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Splitter, WellKnown, testing::Values("gpt2", "gpt4", "o200k"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Splitter, OtherPatternsCutAsTokenizersDoes) {
  const Json& cases = golden_cases();
  const std::vector<std::string> texts = strings(cases.get("texts", "cases"));
  for (const Json& entry : cases.get("other_patterns", "cases").as_array("other_patterns")) {
    const std::string& pattern = entry.get("pattern", "entry").as_string("pattern");
    const auto splitter = make_pattern_splitter(pattern);
    const Json::Array& expected = entry.get("pieces", "entry").as_array("pieces");
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(sizes(pieces_of(*splitter, texts[i])), integers(expected[i]))
          << pattern << " on " << texts[i];
  }
}

TEST(Splitter, MatchUses) {
  const auto cut = [](MatchUse use, bool invert = false) {
    return pieces_of(*make_pattern_splitter("[0-9]", use, invert), "a12b3");
  };
  EXPECT_EQ(cut(MatchUse::kIsolated), (Pieces{"a", "1", "2", "b", "3"}));
  EXPECT_EQ(cut(MatchUse::kRemoved), (Pieces{"a", "b"}));
  EXPECT_EQ(cut(MatchUse::kRemoved, true), (Pieces{"1", "2", "3"}));
  EXPECT_EQ(cut(MatchUse::kMergedWithPrevious), (Pieces{"a1", "2", "b3"}));
  EXPECT_EQ(cut(MatchUse::kMergedWithNext), (Pieces{"a", "1", "2b", "3"}));
  EXPECT_EQ(cut(MatchUse::kContiguous), (Pieces{"a", "12", "b", "3"}));
}

TEST(Splitter, DigitsAndChains) {
  EXPECT_EQ(pieces_of(*make_digits_splitter(true), "ab12c"), (Pieces{"ab", "1", "2", "c"}));
  EXPECT_EQ(pieces_of(*make_digits_splitter(false), "ab12c"), (Pieces{"ab", "12", "c"}));
  // U+11DE1 is a digit to the Digits splitter of tokenizers, though not to its regular expressions.
  EXPECT_EQ(pieces_of(*make_digits_splitter(true), "a\xF0\x91\xB7\xA1"),
            (Pieces{"a", "\xF0\x91\xB7\xA1"}));
  std::vector<std::unique_ptr<Splitter>> parts;
  parts.push_back(make_digits_splitter(true));
  parts.push_back(make_gpt2_splitter());
  // No word reaches across the cut before it: "in 20" keeps its space with "in".
  EXPECT_EQ(pieces_of(*make_chain(std::move(parts)), "we're in 20 "),
            (Pieces{"we", "'re", " in", " ", "2", "0", " "}));
}

TEST(Splitter, ManyPiecesPassThroughTheBatches) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "a1";
  std::vector<std::unique_ptr<Splitter>> parts;
  parts.push_back(make_digits_splitter(true));
  parts.push_back(make_gpt2_splitter());
  EXPECT_EQ(pieces_of(*make_chain(std::move(parts)), text).size(), 10000u);
}

ErrorCode code_of(const std::string& pattern) {
  try {
    make_regex_splitter(pattern);
  } catch (const Error& error) {
    EXPECT_NE(error.message().find(pattern.substr(0, 20)), std::string::npos) << error.message();
    return error.code();
  }
  return ErrorCode::kInternal;
}

TEST(Splitter, PatternsThatLibrariesReadDifferentlyAreRefused) {
  for (const char* pattern :
       {R"([\b])", R"((?i:[a&&b]))", R"((a)\1)", R"([a&&])", R"([&&a])", R"([a-\w&&b])",
        R"([a-c-e&&b])", R"(a(?i)b)", R"([[:alpha:]])", R"(\p{Klingon})", R"((?x:a b))",
        R"((?<name>a))", R"(a{,3})", R"(\p{N}{1,3}+)", R"(\K)", R"(\p{s})", R"(\Qa\E)"})
    EXPECT_EQ(code_of(pattern), ErrorCode::kUnsupported) << pattern;
  for (const char* pattern : {"a(", "[a", "a)", "\\", "\\p{L", "*", "\\x{zz}"})
    EXPECT_NE(code_of(pattern), ErrorCode::kInternal) << pattern;
}

TEST(Splitter, APatternThatBacktracksWithoutEndIsAnError) {
  const auto splitter = make_regex_splitter("(a+)+$");
  const std::string text = std::string(40, 'a') + "!";
  const double start = steady_clock().seconds();
  try {
    pieces_of(*splitter, text);
    FAIL() << "matched";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(error.message().find("gave up at byte 0"), std::string::npos) << error.message();
  }
  EXPECT_LT(steady_clock().seconds() - start, 10);
}

TEST(RegexDialect, PropertiesBecomeRanges) {
  EXPECT_EQ(rewrite_for_pcre2(R"(\p{Thai})"), R"([\x{e01}-\x{e3a}\x{e40}-\x{e5b}])");
  EXPECT_EQ(rewrite_for_pcre2(R"([^\p{Thai}\r])"), R"([^\x{e01}-\x{e3a}\x{e40}-\x{e5b}\r])");
  EXPECT_EQ(rewrite_for_pcre2(R"(\u0041\x42\x{1F600}\v\.)"), R"(\x{0041}\x{42}\x{1F600}\x0b\.)");
  EXPECT_EQ(rewrite_for_pcre2("(?i)a|b"), "(?i:a|b)");
  EXPECT_EQ(rewrite_for_pcre2(R"((?i:a)(?!\n)b++|c*?)"), R"((?i:a)(?!\n)b++|c*?)");
}

TEST(RegexDialect, SetsAreComputed) {
  const auto rewritten = [](const char* pattern) { return rewrite_for_pcre2(pattern); };
  EXPECT_EQ(rewritten(R"([a-y&&[b-z]])"), R"([\x{62}-\x{79}])");
  EXPECT_EQ(rewritten(R"([a-d&&b-z&&^c]+)"), R"([\x{63}]+)");  // ^ is a character there
  EXPECT_EQ(rewritten(R"([a[c-e]b])"), R"([\x{61}-\x{65}])");
  EXPECT_EQ(rewritten(R"([a-z&&[^b-y]-])"), R"([\x{61}\x{7a}])");
  EXPECT_EQ(rewritten(R"([^\x{0}-\x{60}&&\x{0}-\x{10ffff}])"),
            R"([\x{61}-\x{d7ff}\x{e000}-\x{10ffff}])");
  EXPECT_EQ(rewritten(R"([a&&b])"), R"([^\x{0}-\x{10ffff}])");
  EXPECT_EQ(rewritten(R"([\]\-x&&\--\]])"), R"([\x{2d}\x{5d}])");
  EXPECT_EQ(rewritten(R"(\h)"), R"([\x{30}-\x{39}\x{41}-\x{46}\x{61}-\x{66}])");
}

TEST(RegexDialect, HostilePatternsStaySmall) {
  std::string many, deep, wide = "[";
  for (int i = 0; i < 16000; ++i) many += "\\w", deep += "[", wide += "\\p{L}";
  EXPECT_THROW(rewrite_for_pcre2(many), Error);
  EXPECT_THROW(rewrite_for_pcre2(deep), Error);
  EXPECT_THROW(rewrite_for_pcre2(wide.substr(0, 60000) + "&&a]"), Error);
}

/// What the tokenizers library gives, version 0.23.
TEST(RegexDialect, WordsAreThoseOfOniguruma) {
  const auto cut = [](const char* pattern, const char* text) {
    return pieces_of(*make_regex_splitter(pattern), text);
  };
  EXPECT_EQ(cut(R"(\w+)", "a² Ⓐ-_½"), (Pieces{"a²", " ", "Ⓐ", "-", "_½"}));
  EXPECT_EQ(cut(R"([\w]+)", "a²"), (Pieces{"a", "²"}));
  EXPECT_EQ(cut(R"(a\b)", "aa aé a"), (Pieces{"a", "a", " aé ", "a"}));
  EXPECT_EQ(cut(R"(a\B)", "aa a-"), (Pieces{"a", "a a-"}));
  EXPECT_EQ(cut(R"(\d{1,3}(?=(?:\d{3})*\b))", "1234567 12"),
            (Pieces{"1", "234", "567", " ", "12"}));
  EXPECT_EQ(cut(R"([\p{Han}]+|[\p{L}&&[^\p{Han}]]+)", "ab中文c"), (Pieces{"ab", "中文", "c"}));
}

}  // namespace
}  // namespace lathe::tokenize
