// Tokens to a tree, with the grammar of Jinja 3.1.
#pragma once

#include <string_view>

#include "lathe/text/chat/ast.h"
#include "lathe/text/chat/heap.h"

namespace lathe::chat {

struct Program {
  Body body;
  Symbols symbols;
};

/// `heap` keeps the constants and must outlive the program. Throws kInvalidArgument
/// "LINE:COLUMN: what is wrong", also for what is nested too deep.
Program parse_program(std::string_view source, Heap& heap);

}  // namespace lathe::chat
