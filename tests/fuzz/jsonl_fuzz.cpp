// Data files: bytes 0 and 1 choose format, split, compression and the size of the pieces in which
// the rest arrives. Whatever the bytes, the texts are valid, the same for any pieces, found again
// at their offsets, and JSON lines are taken exactly when nlohmann takes them.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/data/records.h"
#include "lathe/data/text.h"

namespace lathe::data {
namespace {

constexpr std::size_t kLargest = 8 << 20;  // of what a compressed input may become here

struct Case {
  Format format;
  Compression compression;
  SourceOptions options;
};

Case case_of(std::uint8_t byte) {
  static constexpr const char* kSplits[] = {"file", "paragraph", "line", "file"};
  Case c{.format = (byte & 1) != 0 ? Format::kText : Format::kJsonLines,
         .compression = static_cast<Compression>(byte >> 1 & 3),
         .options = {.split = kSplits[byte >> 3 & 3],
                     .policy = (byte & 32) != 0 ? "fail" : "skip",
                     .notices = (byte & 64) != 0 ? "fail" : "convert",
                     .max_line_bytes = 300,
                     .part_bytes = 64}};
  return c;
}

std::string unpacked(const Case& c, std::string_view bytes) {
  const auto stream =
      decompress(stream_of(std::string(bytes), 1 + bytes.size() % 7), c.compression, "fuzz");
  std::string all;
  char room[4096];
  while (const std::size_t n = stream->read(room)) {
    all.append(room, n);
    if (all.size() > kLargest) fail(ErrorCode::kUnsupported, "enough");
  }
  return all;
}

struct Scanned {
  std::vector<std::string> records;
  std::string report;
  std::string error;
  bool operator==(const Scanned&) const = default;
};

Scanned scan(const Case& c, const std::string& bytes, std::size_t piece) {
  Scanned scanned;
  Report report;
  Intake intake("fuzz", c.options.intake_policy(), report);
  const auto stream = stream_of(bytes, piece);
  RecordDecoder decoder(c.format, c.options.field);
  try {
    scan_records(*stream, c.format, c.options, intake, [&](const Record& r) {
      LATHE_CHECK(!r.text.empty() && is_utf8(r.text));
      LATHE_CHECK(r.text.find("\r\n") == std::string_view::npos);
      LATHE_CHECK(r.offset + r.length <= bytes.size());
      const auto again = decoder.decode(std::string_view(bytes).substr(r.offset, r.length));
      LATHE_CHECK(again.ok && again.text == r.text);
      scanned.records.push_back(
          fmt::format("{} {} {} {} {}", r.offset, r.length, r.continues, r.line, r.text));
    });
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kCorrupt) throw;
    scanned.error = e.message();
  }
  scanned.report = report.to_json();
  LATHE_CHECK(Report::from_json(scanned.report).to_json() == scanned.report);
  return scanned;
}

/// The fast JSON path against nlohmann's parser.
void compare_json(std::string_view line) {
  JsonLine fast;
  const JsonLine::Outcome outcome = fast.parse(line, "text");
  if (!outcome.ok) fast.explain(line, "text", outcome);
  const auto json = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
  if (outcome.ok) {
    LATHE_CHECK(json.is_object() && json.at("text").get<std::string>() == outcome.text);
  } else if (outcome.issue == Issue::kBadJson) {
    LATHE_CHECK(!json.is_object());
  } else if (outcome.issue == Issue::kMissingField) {
    LATHE_CHECK(json.is_object() && !json.contains("text"));
  } else if (outcome.issue == Issue::kNotAString) {
    LATHE_CHECK(json.is_object() && !json.at("text").is_string());
  }
}

void run(std::string_view data) {
  if (data.size() < 2) return;
  const Case c = case_of(static_cast<std::uint8_t>(data[0]));
  const std::size_t piece = 1 + static_cast<std::uint8_t>(data[1]);
  std::string bytes(data.substr(2));
  if (c.compression != Compression::kNone) {
    try {
      bytes = unpacked(c, bytes);
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kInternal) throw;
      return;
    }
  }
  LATHE_CHECK(is_utf8(bytes) == (first_bad_utf8(bytes) == bytes.size()));
  LATHE_CHECK(scan(c, bytes, piece) == scan(c, bytes, 1 << 16));
  const std::string_view line = std::string_view(bytes).substr(0, bytes.find('\n'));
  if (line.size() < 4096) compare_json(line);
}

}  // namespace
}  // namespace lathe::data

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lathe::data::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
