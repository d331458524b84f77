// How a model wants to be talked to: its chat template, filled with its special tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lathe/base/tree.h"
#include "lathe/life/recipes/open_model.h"
#include "lathe/text/chat/chat_template.h"

namespace lathe::recipes {

/// {"role": role, "content": content}.
Tree chat_message(const std::string& role, const std::string& content);

class ChatFormat {
 public:
  /// The template `given` (its text), else the model's own, else one that fits its vocabulary.
  /// Throws NotFound where the model has no tokenizer, InvalidArgument for a broken template.
  ChatFormat(const OpenedModel& model, const std::optional<std::string>& given = {});

  /// The ids of a conversation, ready for the answer. Special tokens come from the template only.
  /// Throws InvalidArgument where the template refuses the messages (their roles, their order).
  std::vector<std::int32_t> prompt(const std::vector<Tree>& messages,
                                   const Tree& variables = Tree::table()) const;

  /// Where the template comes from: "the model's template", ...
  const std::string& origin() const { return origin_; }
  /// False where the model was not made for conversations, as far as its files tell.
  bool own() const { return own_; }
  const std::vector<std::int32_t>& stop_ids() const { return stop_ids_; }
  /// Strings that end an answer where no token does.
  const std::vector<std::string>& stop() const { return stop_; }

 private:
  chat::ChatTemplate chosen_template(const OpenedModel& model,
                                     const std::optional<std::string>& given);
  std::string choose(const OpenedModel& model, const std::optional<std::string>& given);

  const tokenize::Tokenizer* tokenizer_;
  std::string origin_;
  bool own_ = true;
  std::vector<std::string> stop_;
  std::vector<std::int32_t> stop_ids_;
  std::vector<std::pair<std::string, std::string>> tokens_;
  chat::ChatTemplate template_;
};

}  // namespace lathe::recipes
