#include "lathe/life/recipes/conversation.h"

#include <algorithm>

#include "lathe/base/error.h"
#include "lathe/base/json.h"

namespace lathe::recipes {
namespace {

/// A message of a file. Contents in parts, pictures and tool calls are not for this terminal.
Message message_of(const Tree& tree, const std::string& source, std::size_t number) {
  const Tree* role = tree.kind == Tree::Kind::table ? tree.find("role") : nullptr;
  const Tree* content = tree.kind == Tree::Kind::table ? tree.find("content") : nullptr;
  if (role == nullptr || content == nullptr || role->kind != Tree::Kind::string ||
      content->kind != Tree::Kind::string)
    fail(ErrorCode::kInvalidArgument,
         "{}: message {}: expected {{\"role\": TEXT, \"content\": TEXT}}", source, number);
  return {role->text, content->text};
}

}  // namespace

Conversation::Conversation(OpenedModel& model, const ChatFormat& format, std::int64_t context)
    : model_(model), format_(format), reader_(*model.model, context) {}

std::vector<Message> Conversation::messages() const {
  std::vector<Message> all = turns_;
  if (!system_.empty()) all.insert(all.begin(), {"system", system_});
  return all;
}

void Conversation::set_messages(std::vector<Message> messages) {
  std::string system;
  if (!messages.empty() && messages.front().role == "system") {
    system = messages.front().content;
    messages.erase(messages.begin());
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const char* expected = i % 2 == 0 ? "user" : "assistant";
    if (messages[i].role != expected)
      fail(ErrorCode::kInvalidArgument, "message {}: expected the role '{}', got '{}'", i + 1,
           expected, messages[i].role);
  }
  if (messages.size() % 2 != 0)
    fail(ErrorCode::kInvalidArgument, "the last message has no answer; leave it out and ask it");
  system_ = std::move(system);
  turns_ = std::move(messages);
}

std::vector<std::int32_t> Conversation::prompt() const {
  std::vector<Tree> trees;
  for (const Message& m : messages()) trees.push_back(chat_message(m.role, m.content));
  return format_.prompt(trees, variables);
}

std::int64_t Conversation::used() const {
  return turns_.empty() && system_.empty() ? 0 : static_cast<std::int64_t>(prompt().size());
}

Answer Conversation::ask(const std::string& question, const TextOptions& options,
                         const std::function<void(std::string_view)>& on_text) {
  turns_.push_back({"user", question});
  try {
    return answer(options, on_text);
  } catch (...) {
    turns_.resize(turns_.size() / 2 * 2);
    throw;
  }
}

Answer Conversation::retry(const TextOptions& options,
                           const std::function<void(std::string_view)>& on_text) {
  LATHE_CHECK(can_retry());
  const std::vector<Message> before = turns_;
  turns_.pop_back();
  try {
    Answer again = answer(options, on_text);
    if (!again.kept) turns_ = before;
    return again;
  } catch (...) {
    turns_ = before;
    throw;
  }
}

Answer Conversation::answer(const TextOptions& options,
                            const std::function<void(std::string_view)>& on_text) {
  const std::vector<std::int32_t> ids = prompt();
  const std::int64_t room = context() - static_cast<std::int64_t>(ids.size());
  if (room < 1)
    fail(ErrorCode::kInvalidArgument,
         "the context is full: with this question the conversation has {} tokens, and {} fit "
         "together with an answer; /undo or /clear makes room",
         ids.size(), context());
  TextOptions o = options;
  o.generate.tokens = std::min(o.generate.tokens, room);
  o.generate.stop_ids = format_.stop_ids();
  o.stop.insert(o.stop.end(), format_.stop().begin(), format_.stop().end());
  Answer answer;
  answer.written = write_text(reader_, model_.tokenizer.get(), ids, o, on_text);
  const generate::Generation& g = answer.written.generation;
  answer.context_full = g.reason == generate::StopReason::kLength && o.generate.tokens == room;
  if (g.ids.empty() && g.reason == generate::StopReason::kCancelled) {
    turns_.pop_back();
    answer.kept = false;
    return answer;
  }
  std::string content = answer.written.text;
  // The plain layout has a space between the name and what is said, which the model writes.
  if (!format_.stop().empty() && content.starts_with(' ')) content.erase(0, 1);
  turns_.push_back({"assistant", std::move(content)});
  return answer;
}

bool Conversation::can_retry() const { return turns_.size() >= 2; }

bool Conversation::undo() {
  if (turns_.size() < 2) return false;
  turns_.resize(turns_.size() - 2);
  return true;
}

void Conversation::clear() { turns_.clear(); }

std::string Conversation::to_json() const {
  Tree list;
  list.kind = Tree::Kind::array;
  for (const Message& m : messages()) list.items.push_back(chat_message(m.role, m.content));
  Tree out = Tree::table();
  out.add("messages", std::move(list));
  return print_json(out, 2) + "\n";
}

std::vector<Message> Conversation::parse(const std::string& json, const std::string& source) {
  const Tree tree = parse_json(json, source);
  const Tree* list = tree.kind == Tree::Kind::table ? tree.find("messages") : &tree;
  if (list == nullptr || list->kind != Tree::Kind::array)
    fail(ErrorCode::kInvalidArgument, "{}: expected {{\"messages\": [...]}}, found {}", source,
         describe(tree));
  std::vector<Message> messages;
  for (std::size_t i = 0; i < list->items.size(); ++i)
    messages.push_back(message_of(list->items[i], source, i + 1));
  return messages;
}

}  // namespace lathe::recipes
