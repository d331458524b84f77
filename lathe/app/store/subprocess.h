// Runs another program, without a shell between.
#pragma once

#include <string>
#include <vector>

#include "lathe/base/stop.h"

namespace lathe::store {

struct ProgramResult {
  int exit_status = 0;  // 128 + the signal where one ended it
  std::string errors;   // the last 16 KiB of its standard error
};

/// `words` are the program, found by PATH, and its arguments as they are. Its standard input is
/// empty; its standard output goes to our standard error where that is a terminal, else nowhere.
/// Throws kNotFound where there is no such program; kCancelled after ending it when asked to stop.
ProgramResult run_program(const std::vector<std::string>& words, const StopToken& stop);

}  // namespace lathe::store
