// str() and repr() of values.
#include <fmt/core.h>

#include <charconv>
#include <cmath>

#include "lathe/text/chat/text_python.h"
#include "lathe/text/chat/value.h"

namespace lathe::chat {
namespace {

constexpr Trust kPunctuation = Trust::stranger;  // its shape is the data's

void put_repr(const Value& value, Text& out);

template <typename Items, typename Put>
void put_items(const Items& items, std::string_view open, std::string_view close, Put put,
               Text& out) {
  out.append(open, kPunctuation);
  bool first = true;
  for (const auto& item : items) {
    if (!first) out.append(", ", kPunctuation);
    first = false;
    put(item);
  }
  out.append(close, kPunctuation);
}

void put_dict(const DictObject& dict, Text& out) {
  put_items(
      dict.items, "{", "}",
      [&](const auto& item) {
        put_repr(item.first, out);
        out.append(": ", kPunctuation);
        put_repr(item.second, out);
      },
      out);
}

void put_view(const ViewObject& view, Text& out) {
  const auto& items = view.dict.as<DictObject>().items;
  const auto put = [&](const auto& item) {
    if (view.of == ViewObject::Of::items) {
      out.append("(", kPunctuation);
      put_repr(item.first, out);
      out.append(", ", kPunctuation);
      put_repr(item.second, out);
      out.append(")", kPunctuation);
    } else {
      put_repr(view.of == ViewObject::Of::keys ? item.first : item.second, out);
    }
  };
  static constexpr std::string_view kOpen[] = {"dict_items([", "dict_keys([", "dict_values(["};
  put_items(items, kOpen[static_cast<int>(view.of)], "])", put, out);
}

std::string range_text(const RangeObject& range) {
  if (range.step == 1) return fmt::format("range({}, {})", range.start, range.stop);
  return fmt::format("range({}, {}, {})", range.start, range.stop, range.step);
}

void put_repr(const Value& value, Text& out) {
  const auto put = [&](const Value& item) { put_repr(item, out); };
  switch (value.kind()) {
    case Kind::text:
      if (value.is_markup()) out.append("Markup(", Trust::author);
      out.append(quoted(value.text()));
      if (value.is_markup()) out.append(")", Trust::author);
      break;
    case Kind::list:
      put_items(value.items(), "[", "]", put, out);
      break;
    case Kind::tuple:
      put_items(value.items(), "(", value.items().size() == 1 ? ",)" : ")", put, out);
      break;
    case Kind::dict:
      put_dict(value.as<DictObject>(), out);
      break;
    case Kind::view:
      put_view(value.as<ViewObject>(), out);
      break;
    case Kind::range:
      out.append(range_text(value.as<RangeObject>()), Trust::author);
      break;
    case Kind::undefined:
      out.append("Undefined", Trust::author);
      break;
    case Kind::none:
      out.append("None", Trust::author);
      break;
    case Kind::boolean:
      out.append(value.boolean() ? "True" : "False", Trust::author);
      break;
    case Kind::integer:
      out.append(std::to_string(value.integer()), Trust::author);
      break;
    case Kind::real:
      out.append(print_real(value.real()), Trust::author);
      break;
    default:
      out.append(fmt::format("<{} object>", type_name(value)), Trust::author);
  }
}

/// How repr() writes a character that it does not write as it is; empty for the others.
std::string repr_escape(std::uint32_t code, char quote) {
  if (code == '\\') return "\\\\";
  if (code == static_cast<unsigned char>(quote)) return {'\\', quote};
  if (code == '\n') return "\\n";
  if (code == '\r') return "\\r";
  if (code == '\t') return "\\t";
  if (is_printable(code)) return {};
  if (code < 0x100) return fmt::format("\\x{:02x}", code);
  return code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
}

}  // namespace

std::string print_real(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string text(buffer, end.ptr);  // d.ddde+XX
  const std::size_t e = text.find('e');
  const int exponent = std::stoi(text.substr(e + 1));
  if (exponent < -4 || exponent >= 16) return text;
  const bool negative = text[0] == '-';
  std::string digits;
  for (const char c : text.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  if (exponent < 0) {
    digits.insert(0, static_cast<std::size_t>(-exponent), '0');
    digits.insert(1, ".");
  } else {
    const auto point = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() < point + 1) digits.append(point + 1 - digits.size(), '0');
    digits.insert(point, ".");
  }
  return (negative ? "-" : "") + digits;
}

Text quoted(const Text& text) {
  const std::string_view view = text.view();
  const bool has_single = view.find('\'') != view.npos, has_double = view.find('"') != view.npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  Text out(std::string(1, quote), kPunctuation);
  for (std::size_t at = 0; at < view.size();) {
    const Character c = character_at(view, at);
    const std::string escape = repr_escape(c.code, quote);
    if (escape.empty())
      out.append(text, at, at + c.size);
    else
      out.append(escape, text.trust_at(at));
    at += c.size;
  }
  out.append(std::string(1, quote), kPunctuation);
  return out;
}

Text to_repr(const Value& value) {
  Text out;
  put_repr(value, out);
  return out;
}

Text to_text(const Value& value) {
  if (value.is_text()) return value.text();
  if (value.is_undefined()) return Text();
  return to_repr(value);
}

}  // namespace lathe::chat
