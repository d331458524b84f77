// Renders chat templates for tools/compare_chat_templates.py: a JSON object a line in, one out.
//
//   {"template": "...", "name": "...", "conversation": {"messages": [...], "tools": [...],
//    "documents": [...], "variables": {...}, "tokens": {...}, "add_generation_prompt": true,
//    "continue_final_message": false, "now": 1700000000}}
//   -> {"text": "...", "generated": [[0, 5]]} or {"error": "..."}
#include <iostream>
#include <string>

#include "lathe/base/error.h"
#include "lathe/base/json.h"
#include "lathe/text/chat/chat_template.h"

namespace lathe {
namespace {

chat::Conversation conversation_of(const Tree& tree) {
  chat::Conversation conversation;
  const auto flag = [&](std::string_view key) {
    const Tree* found = tree.find(key);
    return found != nullptr && found->boolean;
  };
  if (const Tree* found = tree.find("messages")) conversation.messages = *found;
  if (const Tree* found = tree.find("tools"); found && found->kind != Tree::Kind::null)
    conversation.tools = *found;
  if (const Tree* found = tree.find("documents"); found && found->kind != Tree::Kind::null)
    conversation.documents = *found;
  if (const Tree* found = tree.find("variables")) conversation.variables = *found;
  if (const Tree* found = tree.find("tokens"))
    for (std::size_t i = 0; i < found->items.size(); ++i)
      conversation.tokens.emplace_back(found->keys[i], found->items[i].text);
  conversation.add_generation_prompt = flag("add_generation_prompt");
  conversation.continue_final_message = flag("continue_final_message");
  return conversation;
}

Tree answer(const Tree& request) {
  Tree reply = Tree::table();
  try {
    const Tree* name = request.find("name");
    const auto chat_template =
        chat::ChatTemplate::parse(request.find("template")->text, name ? name->text : "template");
    const Tree& conversation = *request.find("conversation");
    chat::RenderOptions options;
    if (const Tree* now = conversation.find("now")) options.now = now->integer;
    const chat::Rendered rendered = chat_template.render(conversation_of(conversation), options);
    reply.add("text", Tree::of(rendered.text.bytes()));
    Tree spans;
    spans.kind = Tree::Kind::array;
    for (const auto& [begin, end] : rendered.generated)
      spans.items.push_back(Tree::of(std::vector<std::int64_t>{static_cast<std::int64_t>(begin),
                                                               static_cast<std::int64_t>(end)}));
    reply.add("generated", std::move(spans));
  } catch (const Error& error) {
    reply.add("error", Tree::of(error.message()));
  }
  return reply;
}

}  // namespace
}  // namespace lathe

int main() {
  std::string line;
  while (std::getline(std::cin, line))
    std::cout << lathe::print_json(lathe::answer(lathe::parse_json(line, "request"))) << std::endl;
}
