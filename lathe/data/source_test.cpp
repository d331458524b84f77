#include "lathe/data/source.h"

#include <gtest/gtest.h>

#include "lathe/data/byte_stream.h"
#include "lathe/data/records.h"
#include "lathe/data/test_files.h"

namespace lathe::data {
namespace {

using Texts = std::vector<std::string>;

struct Read {
  Texts texts;
  Report report;
};

Read read(const std::vector<std::string>& files, const SourceOptions& options = {}) {
  Read read;
  read.report = for_each_document(files, options,
                                  [&](std::string_view text) { read.texts.emplace_back(text); });
  return read;
}

std::string line(int n, std::string_view text) {
  return fmt::format("{{\"id\": {}, \"text\": \"{}\", \"more\": [1, {{\"text\": 2}}]}}\n", n, text);
}

TEST(Source, TextFileIsOneDocument) {
  const TestFolder folder;
  const Read r = read({folder.write("a.txt", "one\n\ntwo\n")});
  EXPECT_EQ(r.texts, Texts{"one\n\ntwo\n"});
  EXPECT_EQ(r.report.files, 1);
  EXPECT_EQ(r.report.documents, 1);
  EXPECT_EQ(r.report.text_bytes, 9);
  EXPECT_EQ(r.report.skipped(), 0);
}

TEST(Source, TextFileByParagraphAndLine) {
  const TestFolder folder;
  const std::string path = folder.write("a.txt", "\n\none\ntwo\n \nthree\n\n\n four\n\n");
  EXPECT_EQ(read({path}, {.split = "paragraph"}).texts, (Texts{"one\ntwo", "three", " four"}));
  const Read lines = read({path}, {.split = "line"});
  EXPECT_EQ(lines.texts, (Texts{"one", "two", "three", " four"}));
  EXPECT_EQ(lines.report[Issue::kBlankLine].count, 6);
  EXPECT_EQ(lines.report.documents, 4);
}

TEST(Source, JsonLinesByField) {
  const TestFolder folder;
  const std::string path =
      folder.write("a.jsonl", "{\"body\": \"x\\u00e9\\n\\\"\", \"text\": \"y\"}\n{\"body\":\"z\"}");
  EXPECT_EQ(read({path}, {.field = "body"}).texts, (Texts{"x\u00e9\n\"", "z"}));
}

TEST(Source, LongTextComesInPartsThatJoinToTheWhole) {
  const TestFolder folder;
  std::string text;
  for (int i = 0; i < 400; ++i)
    text += fmt::format("line {} \u00e9\u4e16 of some text{}", i, i % 3 ? "\n" : " ");
  for (const std::string split : {"file", "paragraph", "line"}) {
    const Read r = read({folder.write("a.txt", text)}, {.split = split, .part_bytes = 100});
    std::string joined;
    for (const std::string& part : r.texts) {
      EXPECT_LE(part.size(), 100U);
      joined += part + (split == "line" ? "\n" : "");
    }
    if (split != "line") {
      // The line end after the last document is not part of it in paragraphs.
      EXPECT_EQ(joined, split == "file" ? text : text.substr(0, joined.size())) << split;
      EXPECT_GE(joined.size() + 1, text.size());
      EXPECT_EQ(r.report.documents, 1);
      EXPECT_EQ(r.report[Issue::kCutInParts].count, 1);
    }
    EXPECT_EQ(r.report.parts, static_cast<std::int64_t>(r.texts.size()));
  }
}

TEST(Source, TextWithoutLineEndsIsCutBetweenCharacters) {
  const TestFolder folder;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "\U0001F600";
  const Read r = read({folder.write("a.txt", text)}, {.part_bytes = 101});
  std::string joined;
  for (const std::string& part : r.texts) {
    EXPECT_EQ(part.size() % 4, 0U);
    joined += part;
  }
  EXPECT_EQ(joined, text);
}

// ---- faults and notices: each by both policies, with file and line ----

struct Fault {
  std::string name, bytes;
  Issue issue;
  int line;
  std::string words;  // in the message
  Texts kept;         // under skip
};

const std::string a = line(1, "a"), b = line(2, "b");
const std::vector<Fault> kFaults = {
    {"x.jsonl",
     a + "{\"text\": \"\xff\"}\n" + b,
     Issue::kBadUtf8,
     2,
     "expected UTF-8, got byte 0xff at byte 11",
     {"a", "b"}},
    {"x.jsonl",
     a + "{\"text\": \"\xed\xa0\x80\"}\n" + b,
     Issue::kBadUtf8,
     2,
     "expected UTF-8, got byte 0xed",
     {"a", "b"}},
    {"x.jsonl",
     a + "{\"text\": \"cut of\n" + b,
     Issue::kBadJson,
     2,
     "expected one JSON object with the field \"text\", got broken JSON (column",
     {"a", "b"}},
    {"x.jsonl", a + "{\"text\": \"\\ud800\"}\n" + b, Issue::kBadJson, 2, "broken JSON", {"a", "b"}},
    {"x.jsonl",
     a + "{\"text\": \"t\", \"x\": tru}\n" + b,
     Issue::kBadJson,
     2,
     "(column 23: syntax error",
     {"a", "b"}},
    {"x.jsonl", a + "{\"text\": \"t\"} {}\n" + b, Issue::kBadJson, 2, "broken JSON", {"a", "b"}},
    {"x.jsonl", a + b + "[\"text\"]\n", Issue::kBadJson, 3, "got an array", {"a", "b"}},
    {"x.jsonl",
     "\n" + a + "{\"Text\": \"t\"}\n",
     Issue::kMissingField,
     3,
     "expected a string in the field \"text\", got an object without it",
     {"a"}},
    {"x.jsonl", a + "{\"text\": null}", Issue::kNotAString, 2, "got null", {"a"}},
    {"x.jsonl", a + "{\"text\": 12}\n" + b, Issue::kNotAString, 2, "got a number", {"a", "b"}},
    {"x.jsonl",
     a + "{\"text\": \"t\", \"text\": \"u\"}\n",
     Issue::kRepeatedField,
     2,
     "more than once",
     {"a"}},
    {"x.jsonl",
     a + "{\"text\": \"\"}\n" + b,
     Issue::kEmptyDocument,
     2,
     "an empty document",
     {"a", "b"}},
    {"x.jsonl",
     a + line(3, std::string(500, 'x')) + b,
     Issue::kTooLong,
     2,
     "expected a line of at most 400 B, got",
     {"a", "b"}},
    {"x.jsonl", "", Issue::kEmptyFile, 1, "an empty file", {}},
    {"x.jsonl", "\xEF\xBB\xBF\n \n", Issue::kEmptyFile, 1, "an empty file", {}},
    {"x.txt", "", Issue::kEmptyFile, 1, "an empty file", {}},
    {"x.txt", "one\ntwo \xc3(\n", Issue::kBadUtf8, 2, "got byte 0xc3 at byte 5", {}},
    {"x.txt",
     std::string("\xff\xfe"
                 "a\0",
                 4),
     Issue::kBadUtf8,
     1,
     "UTF-16",
     {}},
    {"x.txt.gz", "", Issue::kEmptyFile, 1, "an empty file", {}},
};

TEST(Source, EveryFaultFailsWithFileAndLine) {
  for (const Fault& fault : kFaults) {
    const TestFolder folder;
    const std::string path = folder.write(fault.name, fault.bytes);
    const std::string error = error_of([&] { read({path}, {.max_line_bytes = 400}); });
    EXPECT_EQ(error.rfind(fmt::format("{}:{}: ", path, fault.line), 0), 0U) << error;
    EXPECT_NE(error.find(fault.words), std::string::npos) << error;
  }
}

TEST(Source, EveryFaultIsSkippedCountedAndReported) {
  for (const Fault& fault : kFaults) {
    const TestFolder folder;
    const std::string path = folder.write(fault.name, fault.bytes);
    const Read r = read({path}, {.policy = "skip", .max_line_bytes = 400});
    EXPECT_EQ(r.texts, fault.kept);
    const IssueCount& count = r.report[fault.issue];
    EXPECT_EQ(count.count, 1) << name(fault.issue);
    EXPECT_EQ(r.report.skipped(), 1);
    ASSERT_EQ(count.examples.size(), 1U);
    EXPECT_EQ(count.examples[0].rfind(fmt::format("{}:{}: ", path, fault.line), 0), 0U);
    EXPECT_NE(count.examples[0].find(fault.words), std::string::npos) << count.examples[0];
    EXPECT_EQ(Report::from_json(r.report.to_json()).to_json(), r.report.to_json());
  }
}

TEST(Source, ExamplesAreFewAndCountsWhole) {
  const TestFolder folder;
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += "{}\n" + line(i, "x");
  const Read r = read({folder.write("x.jsonl", bytes)}, {.policy = "skip"});
  EXPECT_EQ(r.report[Issue::kMissingField].count, 100);
  EXPECT_EQ(r.report[Issue::kMissingField].examples.size(), kExamples);
  EXPECT_EQ(r.report.documents, 100);
}

TEST(Source, CrlfAndByteOrderMarkAreConvertedAndCounted) {
  const TestFolder folder;
  const std::string text = folder.write("a.txt", "\xEF\xBB\xBFone\r\ntwo\r\n\rthree\r\n");
  const std::string json =
      folder.write("b.jsonl", "\xEF\xBB\xBF{\"text\": \"a\"}\r\n{\"text\": \"b\\r\\nc\"}\r\n");
  const Read r = read({text, json});
  EXPECT_EQ(r.texts, (Texts{"one\ntwo\n\rthree\n", "a", "b\nc"}));
  EXPECT_EQ(r.report[Issue::kByteOrderMark].count, 2);
  EXPECT_EQ(r.report[Issue::kCrlf].count, 6);
  EXPECT_EQ(r.report.skipped(), 0);
  EXPECT_EQ(r.report[Issue::kCrlf].examples[0], text + ":1: expected line ends of LF, got CR LF");
  EXPECT_EQ(r.report[Issue::kByteOrderMark].examples[1].rfind(json + ":1: ", 0), 0U);
}

TEST(Source, CrlfGivesTheSameTextsAsLf) {
  const TestFolder folder;
  const std::string lf = "one\ntwo\n\nthree\n\n\nfour";
  std::string crlf;
  for (const char c : lf) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  for (const std::string split : {"file", "paragraph", "line"}) {
    const SourceOptions options{.split = split};
    EXPECT_EQ(read({folder.write("a.txt", crlf)}, options).texts,
              read({folder.write("b.txt", lf)}, options).texts);
  }
}

TEST(Source, NoticesCanFail) {
  const TestFolder folder;
  const SourceOptions strict{.notices = "fail"};
  const std::string crlf = folder.write("a.txt", "one\ntwo\r\n");
  EXPECT_EQ(error_of([&] { read({crlf}, strict); }),
            crlf + ":2: expected line ends of LF, got CR LF");
  const std::string mark = folder.write("b.txt", "\xEF\xBB\xBFone");
  EXPECT_EQ(error_of([&] { read({mark}, strict); }).rfind(mark + ":1: ", 0), 0U);
}

TEST(Source, IntegersBeyond64BitsAreJson) {
  const TestFolder folder;
  const std::string path =
      folder.write("a.jsonl", "{\"id\": 123456789012345678901234567890, \"text\": \"t\"}\n");
  EXPECT_EQ(read({path}).texts, Texts{"t"});
}

TEST(Source, WrongOptionsAreNamed) {
  EXPECT_EQ(error_of([] { read({}, {.policy = "ignore"}); }),
            "data.policy: expected fail or skip, got \"ignore\"");
}

// ---- compression ----

TEST(Compressed, GivesTheSameAsPlain) {
  const TestFolder folder;
  std::string text;
  for (int i = 0; i < 30000; ++i) text += line(i, "some words to read");
  const Read plain = read({folder.write("a.jsonl", text)});
  EXPECT_EQ(plain.report.documents, 30000);
  for (const auto& [end, bytes] :
       {std::pair{".gz", gzip(text)}, {".xz", xz(text)}, {".zst", zstd(text)}}) {
    const Read packed = read({folder.write(std::string("b.jsonl") + end, bytes)});
    EXPECT_EQ(packed.texts, plain.texts) << end;
    EXPECT_EQ(packed.report.read_bytes, plain.report.read_bytes);
  }
}

TEST(Compressed, SeveralMembersAreOneStream) {
  const TestFolder folder;
  const std::string a = "first half, ", b = "second half";
  for (const auto& [end, bytes] : {std::pair{".gz", gzip(a) + gzip("") + gzip(b)},
                                   {".xz", xz(a) + std::string(8, '\0') + xz(b)},
                                   {".zst", zstd(a) + zstd("") + zstd(b)}}) {
    EXPECT_EQ(read({folder.write(std::string("a.txt") + end, bytes)}).texts, Texts{a + b}) << end;
  }
  // gzip files on tapes are padded with zero bytes.
  EXPECT_EQ(read({folder.write("p.txt.gz", gzip(a) + std::string(512, '\0'))}).texts, Texts{a});
}

TEST(Compressed, EveryTruncationIsAnError) {
  const TestFolder folder;
  std::string text;
  for (int i = 0; i < 300; ++i) text += fmt::format("line {} {}\n", i, i * 7919 % 1000);
  for (const auto& [end, bytes] :
       {std::pair{".gz", gzip(text)}, {".xz", xz(text)}, {".zst", zstd(text)}}) {
    for (std::size_t n = 1; n < bytes.size(); n += 1 + n / 8) {
      const std::string path = folder.write(std::string("a.txt") + end, bytes.substr(0, n));
      const std::string error = error_of([&] { read({path}, {.policy = "skip"}); });
      EXPECT_NE(error.find("truncated"), std::string::npos) << end << " " << n << " " << error;
      EXPECT_EQ(error.rfind(path, 0), 0U);
    }
  }
}

TEST(Compressed, DamageIsAnError) {
  const TestFolder folder;
  const std::string text(5000, 'x');
  for (const auto& [end, whole] : {std::pair{".gz", gzip(text)}, {".xz", xz(text)}}) {
    std::string bytes = whole;
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x55);
    const std::string path = folder.write(std::string("a.txt") + end, bytes);
    EXPECT_NE(error_of([&] { read({path}); }), "") << end;
  }
  for (const std::string end : {".gz", ".xz", ".zst"}) {
    const std::string path = folder.write("plain.txt" + end, "this is not compressed at all");
    EXPECT_NE(error_of([&] { read({path}); }).find("damaged"), std::string::npos) << end;
    const std::string tail = folder.write("tail.txt" + end, (end == ".gz"   ? gzip(text)
                                                             : end == ".xz" ? xz(text)
                                                                            : zstd(text)) +
                                                                "more after the end");
    EXPECT_NE(error_of([&] { read({tail}); }), "") << end;
  }
}

/// However the bytes arrive, the records are the same.
TEST(Records, DoNotDependOnThePiecesOfTheStream) {
  std::string bytes = "\xEF\xBB\xBF";
  for (int i = 0; i < 50; ++i)
    bytes +=
        line(i, "w\u00e9" + std::string(static_cast<std::size_t>(i), 'x')) + (i % 7 ? "" : "\r\n");
  for (const Format format : {Format::kJsonLines, Format::kText}) {
    std::vector<std::vector<std::string>> all;
    for (const std::size_t piece : {1, 2, 3, 64, 1 << 16}) {
      Report report;
      Intake intake("mem", {}, report);
      auto stream = stream_of(bytes, piece);
      std::vector<std::string> records;
      scan_records(*stream, format, {.part_bytes = 200}, intake, [&](const Record& r) {
        records.push_back(
            fmt::format("{} {} {} {} {}", r.offset, r.length, r.continues, r.line, r.text));
        // The bytes at that place decode to the same text.
        RecordDecoder decoder(format, "text");
        EXPECT_EQ(decoder.decode(std::string_view(bytes).substr(r.offset, r.length)).text, r.text);
      });
      all.push_back(records);
    }
    for (const auto& records : all) EXPECT_EQ(records, all.front());
    EXPECT_GT(all.front().size(), 10U);
  }
}

}  // namespace
}  // namespace lathe::data
