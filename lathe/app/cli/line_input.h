// Lines that a person or a pipe writes.
#pragma once

#include <memory>
#include <string>

namespace lathe::cli {

class LineInput {
 public:
  enum class Event { kLine, kEnd, kInterrupted };

  virtual ~LineInput() = default;
  /// The next line, without its end. kInterrupted: Ctrl-C came while waiting; `line` is then what
  /// had been typed, as far as it is known.
  virtual Event read(const std::string& prompt, std::string& line) = 0;
};

/// With editing, history and completion of the given words where standard input and output are a
/// terminal, plain lines otherwise. SIGINT must have a handler that does not restart system calls.
std::unique_ptr<LineInput> open_line_input(const char* const* words);

}  // namespace lathe::cli
