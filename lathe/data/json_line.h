// One line of a JSONL file -> the text of one field.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lathe/data/report.h"

namespace lathe::data {

/// Reads one field of a JSON object (RFC 8259, the whole line is checked). simdjson decides what is
/// right; what it refuses goes to nlohmann, which takes integers beyond 64 bits too and says where
/// a line breaks (docs/decisions/0011). Keeps buffers as large as the longest line so far; not to
/// be shared between threads.
class JsonLine {
 public:
  JsonLine();
  ~JsonLine();
  JsonLine(JsonLine&&) noexcept;
  JsonLine& operator=(JsonLine&&) noexcept;

  struct Outcome {
    bool ok = false;
    std::string_view text;          // when ok; lives until the next parse()
    Issue issue = Issue::kBadJson;  // when not
    std::string_view got;           // the short reason, when not; lives as long
  };

  /// Never throws for what the line holds. Throws kOutOfMemory.
  Outcome parse(std::string_view line, std::string_view field);

  /// What is wrong with a refused line, at length and with the column.
  std::string explain(std::string_view line, std::string_view field, const Outcome& outcome) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lathe::data
