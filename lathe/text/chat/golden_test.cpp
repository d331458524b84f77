// Everything that jinja2 made of tests/golden/chat (tools/golden/chat.py), text for text.
#include <gtest/gtest.h>

#include <map>

#include "lathe/text/chat/test_support.h"

namespace lathe::chat {
namespace {

const Tree& cases() {
  static const Tree tree = parse_json(golden_file("chat/cases.json"), "cases.json");
  return tree;
}

RenderOptions at_the_time() { return {.limits = {}, .now = cases().find("now")->integer}; }

/// The text, or the message of the refusal behind "refused: ".
std::string outcome(const ChatTemplate& chat_template, const Conversation& conversation) {
  try {
    return chat_template.render(conversation, at_the_time()).text.bytes();
  } catch (const Error& error) {
    return "refused: " + error.message();
  }
}

void expect_outcome(const Tree& expected, const std::string& got) {
  if (expected.kind == Tree::Kind::null)
    EXPECT_TRUE(got.starts_with("refused: ")) << got;
  else
    EXPECT_EQ(got, expected.text);
}

Conversation conversation_of(const Tree& tree, bool prompt) {
  Conversation conversation;
  conversation.messages = *tree.find("messages");
  if (const Tree* tools = tree.find("tools")) conversation.tools = *tools;
  if (const Tree* documents = tree.find("documents")) conversation.documents = *documents;
  if (const Tree* variables = tree.find("variables")) conversation.variables = *variables;
  conversation.continue_final_message = tree.find("continue_final_message") != nullptr;
  conversation.add_generation_prompt = prompt;
  conversation.tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  return conversation;
}

class ChatGolden : public testing::Test {
 protected:
  void SetUp() override { setenv("TZ", "UTC", 1), tzset(); }
};

TEST_F(ChatGolden, Snippets) {
  Conversation conversation;
  conversation.messages.kind = Tree::Kind::array;
  conversation.variables = *cases().find("variables");
  const auto& snippets = cases().find("snippets")->items;
  ASSERT_GT(snippets.size(), 100u);
  for (const Tree& snippet : snippets) {
    const std::string& source = snippet.find("template")->text;
    SCOPED_TRACE(source);
    std::string got;
    try {
      got = outcome(ChatTemplate::parse(source, "snippet"), conversation);
    } catch (const Error& error) {
      got = "refused: " + error.message();
    }
    expect_outcome(*snippet.find("text"), got);
  }
}

TEST_F(ChatGolden, Conversations) {
  std::map<std::string, ChatTemplate> templates;
  for (const Tree& chat : cases().find("chats")->items) {
    const std::string& file = chat.find("template")->text;
    if (!templates.contains(file))
      templates.emplace(file, ChatTemplate::parse(golden_file("chat/" + file), file));
    const std::string& name = chat.find("conversation")->text;
    const bool prompt = chat.find("prompt")->boolean;
    SCOPED_TRACE(file + ", " + name + (prompt ? " with prompt" : ""));
    const Tree& conversation = *cases().find("conversations")->find(name);
    expect_outcome(*chat.find("text"),
                   outcome(templates.at(file), conversation_of(conversation, prompt)));
  }
  EXPECT_EQ(templates.size(), 3u);
}

}  // namespace
}  // namespace lathe::chat
