// A conversation with a model: messages, and a cache that reads only what is new.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/life/recipes/chat_format.h"
#include "lathe/life/recipes/write_text.h"

namespace lathe::recipes {

struct Message {
  std::string role, content;
};

/// What came of a question.
struct Answer {
  WrittenText written;
  bool kept = true;           // false: nothing was said before it was stopped; the question is gone
  bool context_full = false;  // the answer ends where the context does
};

class Conversation {
 public:
  /// `context`: tokens that fit, prompt and answer together. Both must outlive the result.
  Conversation(OpenedModel& model, const ChatFormat& format, std::int64_t context);

  /// Asks and answers. The answer ends at one of the model's stop tokens, where `options` say, or
  /// where the context is full; nothing is ever cut off at the front. Throws InvalidArgument where
  /// the question does not fit or the template refuses it; the conversation is then as before.
  Answer ask(const std::string& question, const TextOptions& options,
             const std::function<void(std::string_view)>& on_text);

  /// Asks the last question again and replaces its answer, unless nothing is said or it throws.
  /// REQUIRES: can_retry().
  Answer retry(const TextOptions& options, const std::function<void(std::string_view)>& on_text);
  bool can_retry() const;

  /// Takes the last question and its answer away; false where there is none.
  bool undo();
  /// Forgets all but the system message.
  void clear();

  /// Empty: none.
  void set_system(const std::string& text) { system_ = text; }
  const std::string& system() const { return system_; }

  /// All messages, the system message first.
  std::vector<Message> messages() const;
  /// Replaces all. Throws InvalidArgument for roles other than user and assistant in turn, behind
  /// at most one system message.
  void set_messages(std::vector<Message> messages);

  /// {"messages": [{"role": ..., "content": ...}, ...]}.
  std::string to_json() const;
  static std::vector<Message> parse(const std::string& json, const std::string& source);

  /// Tokens of the conversation so far, with what makes the model answer.
  std::int64_t used() const;
  std::int64_t context() const { return reader_.capacity(); }

  /// Variables of the template ("enable_thinking").
  Tree variables = Tree::table();

 private:
  std::vector<std::int32_t> prompt() const;
  Answer answer(const TextOptions& options, const std::function<void(std::string_view)>& on_text);

  OpenedModel& model_;
  const ChatFormat& format_;
  generate::TokenReader reader_;
  std::string system_;
  std::vector<Message> turns_;  // user and assistant in turn
};

}  // namespace lathe::recipes
