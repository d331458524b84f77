#include "lathe/life/runs/text.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lathe/base/random.h"
#include "lathe/life/runs/format.h"
#include "lathe/life/runs/svg.h"
#include "lathe/life/runs/table.h"

namespace lathe::runs {
namespace {

TEST(Text, MalformedUtf8BecomesReplacements) {
  EXPECT_EQ(clean_utf8("aé漢😀"), "aé漢😀");
  EXPECT_EQ(clean_utf8("\xC3"), "\xEF\xBF\xBD");
  EXPECT_EQ(clean_utf8("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");  // overlong
  EXPECT_EQ(clean_utf8("\xED\xA0\x80").size(), 9u);               // a surrogate
  EXPECT_EQ(clean_utf8("\xF4\x90\x80\x80").size(), 12u);          // above U+10FFFF
  EXPECT_EQ(clean_utf8("\xEF\xBF\xBD"), "\xEF\xBF\xBD");          // U+FFFD itself
}

TEST(Text, CleanTextStaysCleanForAnyBytes) {
  const RandomStream random(3, "text");
  for (std::uint64_t i = 0; i < 2000; ++i) {
    std::string bytes;
    for (std::uint64_t k = 0; k < 12; ++k) {
      bytes += static_cast<char>(random.below(256, i * 12 + k));
    }
    const std::string once = clean_utf8(bytes);
    ASSERT_EQ(clean_utf8(once), once);
    for (const char c : printable(bytes)) ASSERT_TRUE(c == '\n' || !(c >= 0 && c < 32)) << i;
  }
}

TEST(Text, PrintableTextCannotSteerATerminal) {
  EXPECT_EQ(printable("a\x1b[31mb"), "a\xEF\xBF\xBD[31mb");
  EXPECT_EQ(printable("a\r\n\tb\x07\x7f"), "a\n    b\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\xEF\xBF\xBD"
            "31m");  // C1 control introducer
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "x"),
            "\xEF\xBF\xBD"
            "x");  // right-to-left override
}

TEST(Text, ColumnsOfWideAndCombiningCharacters) {
  EXPECT_EQ(columns("abc"), 3);
  EXPECT_EQ(columns("漢字"), 4);
  EXPECT_EQ(columns("e\xCC\x81"), 1);
  EXPECT_EQ(columns("😀"), 2);
}

TEST(Text, WrapsAtSpacesAndInsideLongWords) {
  EXPECT_EQ(wrap("the quick brown fox", 10), (std::vector<std::string>{"the quick", "brown fox"}));
  EXPECT_EQ(wrap("abcdefghij", 4), (std::vector<std::string>{"abcd", "efgh", "ij"}));
  EXPECT_EQ(wrap("a\n\nb", 10), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(wrap("漢字漢字", 5), (std::vector<std::string>{"漢字", "漢字"}));
  EXPECT_TRUE(wrap("", 10).empty());
  for (int width = 2; width < 12; ++width) {
    for (const std::string& line : wrap("some words 漢字 andaverylongone e\xCC\x81", width)) {
      EXPECT_LE(columns(line), width);
    }
  }
}

TEST(Text, ShortensAndPads) {
  EXPECT_EQ(shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(shorten("abcdef", 4), "abc…");
  EXPECT_EQ(pad_right("é", 3), "é  ");
  EXPECT_EQ(pad_left("漢", 3), " 漢");
}

TEST(Text, XmlEscapesAndForbidsWhatXmlForbids) {
  EXPECT_EQ(xml_escape("<a href=\"x\">&'</a>"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(xml_escape(std::string("a\0b\x01", 4)),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
  EXPECT_EQ(xml_escape("\xEF\xBF\xBE"), "\xEF\xBF\xBD");  // U+FFFE
  EXPECT_EQ(xml_escape("é\n"), "é\n");
}

TEST(Format, NumbersForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-1234), "-1,234");
  EXPECT_EQ(human_lr(3e-4), "3.00e-4");
  EXPECT_EQ(human_lr(1.5e-12), "1.50e-12");
  EXPECT_EQ(human_lr(0), "0");
  EXPECT_EQ(human_loss(3.21434), "3.2143");
  EXPECT_EQ(human_loss(10.8249), "10.825");
  EXPECT_EQ(human_loss(std::nan("")), "nan");
  EXPECT_EQ(human_loss(std::optional<double>()), "-");
}

TEST(Table, AlignsShortensAndDropsEmptyColumns) {
  Table table;
  table.column("id");
  table.column("empty");
  table.column("n", Table::Align::kRight);
  table.column("text");
  table.row({"a", "", "5", "one\ntwo"});
  table.row({"bcd", "", "1234", "a rather long text"});
  EXPECT_EQ(table.text(), "id      n  text\na       5  one two\nbcd  1234  a rather long text\n");
  EXPECT_EQ(table.text(2, 24),
            "  id      n  text\n  a       5  one two\n  bcd  1234  a rather l…\n");
}

}  // namespace
}  // namespace lathe::runs
