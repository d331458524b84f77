#include "lathe/life/recipes/chat_format.h"

#include "lathe/base/error.h"

namespace lathe::recipes {
namespace {

using tokenize::Role;

/// For vocabularies with <|im_start|> and <|im_end|>.
constexpr const char* kChatMl =
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// For all others: what a model of plain text may take for a conversation.
constexpr const char* kPlain =
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}\n\n"
    "{% elif m['role'] == 'user' %}User: {{ m['content'] }}\n"
    "{% else %}Assistant: {{ m['content'] }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}";

const tokenize::Tokenizer& tokenizer_of(const OpenedModel& model) {
  if (model.tokenizer == nullptr)
    fail(ErrorCode::kNotFound, "{}: there is no tokenizer to talk through", model.checkpoint);
  return *model.tokenizer;
}

}  // namespace

Tree chat_message(const std::string& role, const std::string& content) {
  Tree message = Tree::table();
  message.add("role", Tree::of(role));
  message.add("content", Tree::of(content));
  return message;
}

ChatFormat::ChatFormat(const OpenedModel& model, const std::optional<std::string>& given)
    : tokenizer_(&tokenizer_of(model)),
      stop_ids_(model.stop_ids),
      template_(chosen_template(model, given)) {
  const auto name = [&](const char* variable, Role role) {
    const auto id = tokenizer_->role(role);
    tokens_.emplace_back(variable, id ? std::string(tokenizer_->token_bytes(*id)) : "");
  };
  name("bos_token", Role::kBos);
  name("eos_token", Role::kEos);
  name("unk_token", Role::kUnknown);
  name("pad_token", Role::kPadding);
  // Our own plain layout begins as texts of this model do, which may be without such a token.
  if (!stop_.empty() && model.prefix.empty()) tokens_.front().second.clear();
}

chat::ChatTemplate ChatFormat::chosen_template(const OpenedModel& model,
                                               const std::optional<std::string>& given) {
  const std::string text = choose(model, given);
  return chat::ChatTemplate::parse(text, origin_);
}

std::string ChatFormat::choose(const OpenedModel& model, const std::optional<std::string>& given) {
  if (given) {
    origin_ = "the given template";
    return *given;
  }
  if (!model.chat_template.empty()) {
    origin_ = "the model's template";
    return model.chat_template;
  }
  own_ = false;
  const auto special = [&](const char* token) {
    const auto id = tokenizer_->id_of(token);
    return id && tokenizer_->is_special(*id);
  };
  if (special("<|im_start|>") && special("<|im_end|>")) {
    origin_ = "ChatML, by its vocabulary";
    return kChatMl;
  }
  origin_ = "plain 'User:' and 'Assistant:' lines";
  stop_ = {"\nUser:"};
  return kPlain;
}

std::vector<std::int32_t> ChatFormat::prompt(const std::vector<Tree>& messages,
                                             const Tree& variables) const {
  chat::Conversation conversation;
  conversation.messages.kind = Tree::Kind::array;
  conversation.messages.items = messages;
  conversation.variables = variables;
  conversation.tokens = tokens_;
  conversation.add_generation_prompt = true;
  return chat::encode(template_.render(conversation), *tokenizer_);
}

}  // namespace lathe::recipes
