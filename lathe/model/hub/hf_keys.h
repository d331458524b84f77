// Reading single keys of a config.json, and what transformers does where one is absent. Internal to
// model/hub.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lathe/base/tree.h"

namespace lathe::model {

/// What transformers' configuration class of a model_type says where config.json is silent.
struct HfDefaults {
  std::string_view kind;
  std::int64_t vocab, width, hidden, layers, heads;
  std::int64_t kv_heads;   // 0: heads
  std::int64_t head_size;  // 0: width / heads
  std::int64_t context;
  double norm_eps;
  bool tied;
  double theta;
  std::int64_t window;  // 0: none
};

/// Null where there is no such model_type.
const HfDefaults* hf_defaults(std::string_view kind);

/// Keys of one object.
class HfKeys {
 public:
  HfKeys(const Tree& tree, std::string source) : tree_(&tree), source_(std::move(source)) {}

  /// Present, even as null.
  bool has(std::string_view key) const { return tree_->find(key) != nullptr; }
  /// Present and not null.
  const Tree* find(std::string_view key) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback) const;
  double number(std::string_view key, double fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::string text(std::string_view key, std::string_view fallback) const;
  std::vector<double> numbers(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key) const;  // one number is a list of one
  std::vector<std::string> texts(std::string_view key) const;
  /// An object; nothing where the key is absent or null.
  std::optional<HfKeys> object(std::string_view key) const;

  const std::string& source() const { return source_; }

 private:
  [[noreturn]] void wrong(std::string_view key, const char* expected, const Tree& found) const;
  const Tree* list(std::string_view key) const;

  const Tree* tree_;
  std::string source_;
};

}  // namespace lathe::model
