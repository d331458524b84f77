// Helpers of this folder's tests.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/json.h"
#include "lathe/text/chat/chat_template.h"

namespace lathe::chat {

inline std::filesystem::path source_root() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
}

inline std::string golden_file(const std::string& name) {
  return real_files().read_all((source_root() / "tests/golden" / name).string());
}

inline Tree json(std::string_view text) { return parse_json(text, "test"); }

/// The text of a template with these variables and one message of a user.
inline std::string rendered(std::string_view source, Tree variables = Tree::table(),
                            const Limits& limits = {}) {
  Conversation conversation;
  conversation.messages = json(R"([{"role": "user", "content": "hi"}])");
  conversation.variables = std::move(variables);
  return ChatTemplate::parse(source, "t").render(conversation, {.limits = limits}).text.bytes();
}

/// The message of the refusal; "" where there is none.
inline std::string refusal(std::string_view source, Tree variables = Tree::table(),
                           const Limits& limits = {}) {
  try {
    rendered(source, std::move(variables), limits);
    return "";
  } catch (const Error& error) {
    return error.message();
  }
}

inline std::string repeat(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

}  // namespace lathe::chat
