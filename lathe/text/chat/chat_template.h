// Chat templates: what lays a conversation out as the text, and the tokens, that a model expects.
//
//   const auto chat_template = chat::ChatTemplate::parse(source, "tokenizer_config.json");
//   chat::Conversation conversation{.messages = parse_json(R"([{"role": "user", ...}])", "chat")};
//   conversation.tokens = {{"bos_token", "<s>"}};
//   const chat::Rendered rendered = chat_template.render(conversation);
//   const std::vector<std::int32_t> ids = chat::encode(rendered, *tokenizer);
#pragma once

#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lathe/base/tree.h"
#include "lathe/text/chat/heap.h"
#include "lathe/text/chat/text.h"
#include "lathe/text/tokenize/tokenizer.h"

namespace lathe::chat {

/// What a template lays out. Every string in the trees is text of strangers: it never becomes a
/// special token, except that the plain name of a role ("user", "assistant", ...) may be a part of
/// one that the template writes around it.
struct Conversation {
  Tree messages;                  // a list of tables: role, content, tool_calls, ...
  std::optional<Tree> tools;      // a list of tables, JSON schema of functions; none: Python's None
  std::optional<Tree> documents;  // a list of tables: title, text
  Tree variables = Tree::table();  // further variables by name ("enable_thinking": false)
  /// bos_token, eos_token, ...: may become special tokens.
  std::vector<std::pair<std::string, std::string>> tokens;
  /// Ends with what makes the model answer.
  bool add_generation_prompt = false;
  /// The last message is not ended: the model goes on with it.
  bool continue_final_message = false;
};

struct Rendered {
  Text text;
  /// Bytes [first, second) that the template marks as the model's own ({% generation %}).
  std::vector<std::pair<std::size_t, std::size_t>> generated;
};

struct RenderOptions {
  Limits limits;
  /// What strftime_now() sees, in local time; 0: the current time.
  std::time_t now = 0;
};

struct TemplateImpl;

/// A parsed template, immutable: every function may be called from any thread at once.
class ChatTemplate {
 public:
  /// Throws kInvalidArgument "name:line:column: what is wrong".
  static ChatTemplate parse(std::string_view source, std::string_view name = "chat template");

  /// As transformers' apply_chat_template(tokenize=False) with jinja2 does it. Throws
  /// "name:line:column: what is wrong": kInvalidArgument for what Python would raise, for what the
  /// template itself refuses (raise_exception) and for what takes more than the limits;
  /// kUnsupported for what is not implemented.
  Rendered render(const Conversation& conversation, const RenderOptions& options = {}) const;

  const std::string& source() const;
  const std::string& name() const;

 private:
  explicit ChatTemplate(std::shared_ptr<const TemplateImpl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const TemplateImpl> impl_;
};

/// The ids of a rendered conversation: those that the tokenizer gives for the whole text, with
/// special tokens only where the template wrote them. Nothing is added in front or behind.
std::vector<std::int32_t> encode(const Rendered& rendered, const tokenize::Tokenizer& tokenizer);

}  // namespace lathe::chat
