// Ids and the texts of their tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lathe/text/tokenize/added_tokens.h"

namespace lathe::tokenize {

/// The vocabulary of a tokenizer.json: the model's tokens and those added to it.
class TokenTable {
 public:
  /// Throws kCorrupt for ids or tokens that stand twice, where they may not, and for ids far beyond
  /// the number of tokens (a file may leave holes, but not make us reserve memory for billions).
  TokenTable(const std::vector<std::pair<std::string, std::int32_t>>& vocab,
             const std::vector<AddedToken>& added);

  std::int64_t size() const { return static_cast<std::int64_t>(rows_.size()); }
  bool has(std::int32_t id) const {
    return id >= 0 && id < size() && rows_[static_cast<std::size_t>(id)].present;
  }
  bool is_special(std::int32_t id) const {
    return has(id) && rows_[static_cast<std::size_t>(id)].special;
  }
  /// REQUIRES: has(id).
  const std::string& text(std::int32_t id) const {
    return rows_[static_cast<std::size_t>(id)].text;
  }
  std::optional<std::int32_t> id_of(std::string_view text) const;

 private:
  struct Row {
    std::string text;
    bool present = false, special = false;
  };
  Row& row(std::int32_t id, const std::string& text);
  void add(const AddedToken& token);

  std::size_t limit_;
  std::vector<Row> rows_;
  std::unordered_map<std::string, std::int32_t> ids_;
};

}  // namespace lathe::tokenize
