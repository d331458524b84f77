#include "lathe/text/tokenize/token_table.h"

#include "lathe/base/error.h"

namespace lathe::tokenize {

TokenTable::TokenTable(const std::vector<std::pair<std::string, std::int32_t>>& vocab,
                       const std::vector<AddedToken>& added)
    : limit_(65536 + 4 * (vocab.size() + added.size())) {
  rows_.reserve(vocab.size() + added.size());
  ids_.reserve(vocab.size() + added.size());
  for (const auto& [text, id] : vocab) {
    Row& row = this->row(id, text);
    if (row.present)
      fail(ErrorCode::kCorrupt, "model.vocab: the id {} stands twice, the second time for '{}'", id,
           text);
    row = {text, true, false};
    ids_.insert_or_assign(text, id);  // a Unigram model may have a token twice
  }
  for (const AddedToken& token : added) add(token);
}

TokenTable::Row& TokenTable::row(std::int32_t id, const std::string& text) {
  if (id < 0 || static_cast<std::size_t>(id) >= limit_)
    fail(ErrorCode::kCorrupt, "token '{}': expected an id from 0 to {}, got {}", text, limit_ - 1,
         id);
  if (static_cast<std::size_t>(id) >= rows_.size()) rows_.resize(static_cast<std::size_t>(id) + 1);
  return rows_[static_cast<std::size_t>(id)];
}

void TokenTable::add(const AddedToken& token) {
  if (token.content.empty())
    fail(ErrorCode::kCorrupt, "added_tokens: the token of id {} has no content", token.id);
  Row& row = this->row(token.id, token.content);
  const auto known = ids_.find(token.content);
  if (row.present ? row.text != token.content : known != ids_.end())
    fail(ErrorCode::kCorrupt, "added_tokens: '{}' has the id {}, model.vocab says otherwise",
         token.content, token.id);
  row = {token.content, true, token.special};
  ids_.emplace(token.content, token.id);
}

std::optional<std::int32_t> TokenTable::id_of(std::string_view text) const {
  const auto found = ids_.find(std::string(text));
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace lathe::tokenize
