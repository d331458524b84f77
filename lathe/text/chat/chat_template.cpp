#include "lathe/text/chat/chat_template.h"

#include <fmt/core.h>

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/text/chat/machine.h"
#include "lathe/text/chat/parser.h"
#include "lathe/text/chat/text_python.h"

namespace lathe::chat {

struct TemplateImpl {
  std::string source, name;
  Heap heap{Limits{.steps = std::int64_t{1} << 60}};  // of the constants
  Program program;
};

namespace {

constexpr std::string_view kContinueHere = "CONTINUE_FINAL_MESSAGE_TAG ";
constexpr std::string_view kReasoning[] = {"reasoning_content", "thinking", "reasoning"};

bool is_role(const Tree& value) {
  static constexpr std::string_view kRoles[] = {"system",    "user",     "assistant", "tool",
                                                "developer", "function", "model",     "ipython"};
  return value.kind == Tree::Kind::string &&
         std::find(std::begin(kRoles), std::end(kRoles), value.text) != std::end(kRoles);
}

/// The reasoning of a message under each name that templates look for, as transformers does it.
void add_reasoning_names(Tree& message) {
  const Tree* reasoning = nullptr;
  for (const std::string_view name : kReasoning)
    if (const Tree* found = message.find(name);
        reasoning == nullptr && found != nullptr && found->kind != Tree::Kind::null)
      reasoning = found;
  if (reasoning == nullptr) return;
  const Tree copy = *reasoning;
  if (message.find("thinking") == nullptr) {
    message.keys.insert(message.keys.begin(), "thinking");
    message.items.insert(message.items.begin(), copy);
  }
  for (std::size_t i = 0; i < message.keys.size(); ++i)
    if (message.keys[i] == "reasoning_content") {
      message.items[i] = copy;
      return;
    }
  message.add("reasoning_content", copy);
}

/// Where the text of the last message is: its content, or the last part of it that has a text.
Tree& text_to_continue(Tree& messages) {
  const auto member = [](Tree& table, std::string_view key) -> Tree* {
    return const_cast<Tree*>(std::as_const(table).find(key));
  };
  Tree* content = messages.items.empty() ? nullptr : member(messages.items.back(), "content");
  if (content != nullptr && content->kind == Tree::Kind::array)
    for (auto part = content->items.rbegin(); part != content->items.rend(); ++part)
      if (Tree* text = member(*part, "text"); text != nullptr && text->kind == Tree::Kind::string)
        return *text;
  if (content == nullptr || content->kind != Tree::Kind::string)
    fail(ErrorCode::kInvalidArgument,
         "continue_final_message: expected a last message with text to continue");
  return *content;
}

/// Cuts the text where the last message ends.
void cut_behind(Rendered& rendered, const std::string& message) {
  Text& text = rendered.text;
  const std::string_view tag = kContinueHere.substr(0, kContinueHere.size() - 1);
  const Text trimmed = strip(Text(message, Trust::stranger), nullptr, Side::both);
  const std::size_t at = rfind_bytes(text.view(), tag, text.size());
  if (at == std::string_view::npos ||
      find_bytes(text.view(), trimmed.view()) == std::string_view::npos)
    fail(ErrorCode::kInvalidArgument,
         "continue_final_message: the template does not write the last message as it is");
  const bool keeps_spaces = text.view().substr(at).starts_with(kContinueHere);
  text.shorten(at);
  if (!keeps_spaces) text.shorten(text.size() - trailing_spaces(text.view()));
  for (auto& [begin, end] : rendered.generated) {
    begin = std::min(begin, text.size());
    end = std::min(end, text.size());
  }
}

/// The messages as values: those of strangers, but for the roles.
Value messages_value(Heap& heap, const Tree& messages) {
  std::vector<Value> items;
  for (const Tree& message : messages.items) {
    if (message.kind != Tree::Kind::table)
      fail(ErrorCode::kInvalidArgument, "messages: expected a list of objects, got {} in it",
           describe(message));
    std::vector<std::pair<Value, Value>> members;
    for (std::size_t i = 0; i < message.items.size(); ++i) {
      const Tree& value = message.items[i];
      const bool is_author = message.keys[i] == "role" && is_role(value);
      members.emplace_back(heap.text(message.keys[i], Trust::stranger),
                           heap.from_tree(value, is_author ? Trust::author : Trust::stranger));
    }
    items.push_back(heap.dict(std::move(members)));
  }
  return heap.list(std::move(items));
}

void define_all(Machine& machine, Heap& heap, const Conversation& conversation,
                const Tree& messages) {
  const Heap::Input input(heap);
  const auto optional = [&](const std::optional<Tree>& tree) {
    return tree ? heap.from_tree(*tree, Trust::stranger) : Value::none();
  };
  machine.define("messages", messages_value(heap, messages));
  machine.define("tools", optional(conversation.tools));
  machine.define("documents", optional(conversation.documents));
  machine.define("add_generation_prompt", Value::of(conversation.add_generation_prompt));
  for (const auto& [name, token] : conversation.tokens)
    machine.define(name, heap.text(token, Trust::author));
  for (std::size_t i = 0; i < conversation.variables.items.size(); ++i)
    machine.define(conversation.variables.keys[i],
                   heap.from_tree(conversation.variables.items[i], Trust::stranger));
}

}  // namespace

ChatTemplate ChatTemplate::parse(std::string_view source, std::string_view name) {
  auto impl = std::make_shared<TemplateImpl>();
  impl->source = source;
  impl->name = name;
  try {
    impl->program = parse_program(source, impl->heap);
  } catch (Error& error) {
    const std::string& message = error.message();
    throw Error(error.code(), fmt::format("{}:{}", name, message));
  }
  return ChatTemplate(std::move(impl));
}

Rendered ChatTemplate::render(const Conversation& conversation,
                              const RenderOptions& options) const {
  Tree messages = conversation.messages;
  if (messages.kind != Tree::Kind::array)
    fail(ErrorCode::kInvalidArgument, "messages: expected a list, got {}", describe(messages));
  for (Tree& message : messages.items) add_reasoning_names(message);
  std::string to_continue;
  if (conversation.continue_final_message) {
    Tree& text = text_to_continue(messages);
    to_continue = text.text;
    text.text += kContinueHere;
  }
  Heap heap(options.limits);
  Machine machine(impl_->program, heap, options.now != 0 ? options.now : std::time(nullptr));
  define_all(machine, heap, conversation, messages);
  Rendered rendered;
  try {
    Machine::Result result = machine.run();
    rendered.text = std::move(result.text);
    rendered.generated = std::move(result.generated);
  } catch (Error& error) {
    const Where at = machine.where();
    throw Error(error.code(),
                fmt::format("{}:{}:{}: {}", impl_->name, at.line, at.column, error.message()));
  }
  if (conversation.continue_final_message) cut_behind(rendered, to_continue);
  return rendered;
}

const std::string& ChatTemplate::source() const { return impl_->source; }
const std::string& ChatTemplate::name() const { return impl_->name; }

}  // namespace lathe::chat
