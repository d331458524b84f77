#include "lathe/text/chat/json_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "lathe/text/chat/builtins.h"
#include "lathe/text/chat/unicode_text.h"

namespace lathe::chat {
namespace {

std::string escaped(std::uint32_t code) {
  switch (code) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    default:
      break;
  }
  if (code < 0x10000) return fmt::format("\\u{:04x}", code);
  const std::uint32_t low = code - 0x10000;
  return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (low >> 10), 0xDC00 + (low & 0x3FF));
}

std::string number(const Value& value) {
  if (value.is(Kind::integer)) return std::to_string(value.integer());
  const double real = value.real();
  if (std::isnan(real)) return "NaN";
  if (std::isinf(real)) return real < 0 ? "-Infinity" : "Infinity";
  return print_real(real);
}

class Writer {
 public:
  Writer(const JsonStyle& style, Text& out) : style_(style), out_(out) {
    const bool pretty = style.indent.has_value();
    items_ = style.item_separator.value_or(mark(pretty ? "," : ", "));
    keys_ = style.key_separator.value_or(mark(": "));
  }

  void write(const Value& value) {
    switch (value.kind()) {
      case Kind::none:
        return put("null");
      case Kind::boolean:
        return put(value.boolean() ? "true" : "false");
      case Kind::integer:
      case Kind::real:
        return out_.append(number(value), Trust::author);
      case Kind::text:
        return string(value.text());
      case Kind::list:
      case Kind::tuple:
        return list(value.items());
      case Kind::dict:
        return dict(value.as<DictObject>());
      default:
        type_error(fmt::format("Object of type {} is not JSON serializable", type_name(value)));
    }
  }

 private:
  static Text mark(std::string_view text) { return Text(std::string(text), Trust::stranger); }
  void put(std::string_view text) { out_.append(text, Trust::stranger); }

  void string(const Text& text) {
    put("\"");
    const std::string_view view = text.view();
    std::size_t done = 0;
    for (std::size_t at = 0; at < view.size();) {
      const Character c = character_at(view, at);
      const bool plain =
          c.code >= 0x20 && c.code != '"' && c.code != '\\' && (!style_.ascii || c.code < 0x7F);
      if (!plain) {
        out_.append(text, done, at);
        out_.append(escaped(c.code), text.trust_at(at));
        done = at + c.size;
      }
      at += c.size;
    }
    out_.append(text, done, text.size());
    put("\"");
  }

  void line() {
    if (!style_.indent) return;
    put("\n");
    for (int i = 0; i < level_; ++i) out_.append(*style_.indent);
  }

  void list(const std::vector<Value>& items) {
    if (items.empty()) return put("[]");
    put("[");
    ++level_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.append(items_);
      line();
      write(items[i]);
    }
    --level_;
    line();
    put("]");
  }

  static Text key_text(const Value& key) {
    switch (key.kind()) {
      case Kind::text:
        return key.text();
      case Kind::none:
        return mark("null");
      case Kind::boolean:
        return mark(key.boolean() ? "true" : "false");
      case Kind::integer:
      case Kind::real:
        return mark(number(key));
      default:
        type_error(
            fmt::format("keys must be str, int, float, bool or None, not {}", type_name(key)));
    }
  }

  void dict(const DictObject& dict) {
    if (dict.items.empty()) return put("{}");
    std::vector<const std::pair<Value, Value>*> items;
    for (const auto& item : dict.items) items.push_back(&item);
    if (style_.sort_keys)
      std::stable_sort(items.begin(), items.end(), [](const auto* a, const auto* b) {
        return compare(a->first, b->first, "<") < 0;
      });
    put("{");
    ++level_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_.append(items_);
      line();
      string(key_text(items[i]->first));
      out_.append(keys_);
      write(items[i]->second);
    }
    --level_;
    line();
    put("}");
  }

  const JsonStyle& style_;
  Text& out_;
  Text items_, keys_;
  int level_ = 0;
};

}  // namespace

Text to_json(const Value& value, const JsonStyle& style) {
  Text out;
  Writer(style, out).write(value);
  return out;
}

}  // namespace lathe::chat
