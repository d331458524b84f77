// A file -> its records: where each document (or part of one) lies, and its text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lathe/data/byte_stream.h"
#include "lathe/data/json_line.h"
#include "lathe/data/source.h"

namespace lathe::data {

/// One document, or one part of a .txt document too long for one record.
struct Record {
  std::uint64_t offset = 0;  // of the raw bytes in the decompressed file
  std::uint32_t length = 0;  // of the raw bytes
  bool continues = false;    // the next record goes on with the same document
  std::int64_t line = 0;     // of its first byte, from 1
  std::string_view text;     // decoded; valid during the call
};

/// Turns the raw bytes of a record into its text. Not to be shared between threads.
class RecordDecoder {
 public:
  RecordDecoder(Format format, std::string field) : format_(format), field_(std::move(field)) {}

  struct Decoded {
    bool ok = false;
    std::string_view text;          // when ok; lives until the next decode()
    std::int64_t crlf = 0;          // converted
    Issue issue = Issue::kBadUtf8;  // when not
  };

  Decoded decode(std::string_view raw);

  /// What is wrong with raw bytes that decode() refused; adds to `line` where in them it is.
  std::string explain(std::string_view raw, std::int64_t& line) const;

 private:
  Format format_;
  std::string field_;
  JsonLine json_;
  JsonLine::Outcome outcome_;
  std::string converted_;
};

/// Reads the stream to its end and calls `use` for each sound record, in order. Faults and notices
/// go to the intake, which may throw. Memory: a JSONL line, or twice part_bytes for .txt.
void scan_records(ByteStream& stream, Format format, const SourceOptions& options, Intake& intake,
                  const std::function<void(const Record&)>& use);

}  // namespace lathe::data
