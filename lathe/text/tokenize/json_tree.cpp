#include "lathe/text/tokenize/json_tree.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_set>

#include "lathe/base/error.h"
#include "lathe/base/format.h"

namespace lathe::tokenize {
namespace {

constexpr std::size_t kDeepest = 64;

/// The double nearest to 10^n, 0 <= n <= 308.
double power_of_ten(int n) {
  static const std::vector<double> kPowers = [] {
    std::vector<double> powers;
    for (int i = 0; i <= 308; ++i)
      powers.push_back(std::strtod(fmt::format("1e{}", i).c_str(), nullptr));
    return powers;
  }();
  return kPowers[static_cast<std::size_t>(n)];
}

/// The number as serde_json reads it, which rounds twice: the leading digits that fit 64 bits, then
/// one division or multiplication by a power of ten. The scores of a Unigram model decide between
/// equally good ways to cut a word by their last bit.
double as_serde_json_reads(std::string_view text) {
  std::uint64_t digits = 0;
  int exponent = 0;
  bool full = false, after_point = false;
  std::size_t i = text.starts_with('-') ? 1 : 0;
  for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
    if (text[i] == '.') {
      after_point = true;
      continue;
    }
    const auto digit = static_cast<std::uint64_t>(text[i] - '0');
    full = full || digits > (UINT64_MAX - digit) / 10;
    if (!full) digits = digits * 10 + digit;
    exponent += full && !after_point;
    exponent -= !full && after_point;
  }
  if (i < text.size()) {
    const bool plus = text.substr(i + 1).starts_with('+');
    int given = 0;
    const char* first = text.data() + i + 1 + (plus ? 1 : 0);
    const auto parsed = std::from_chars(first, text.data() + text.size(), given);
    if (parsed.ec != std::errc() || given > 100000 || given < -100000)
      given = *first == '-' ? -100000 : 100000;
    exponent += given;
  }
  auto value = static_cast<double>(digits);
  for (; exponent < -308 && value != 0; exponent += 308) value /= 1e308;
  const double power = power_of_ten(std::min(308, std::abs(exponent)));
  value = exponent < 0 ? value / power : value * power;
  return text.starts_with('-') ? -value : value;
}

/// Digits that this reader and serde_json take for the number. They round twice, so the shortest
/// are not always among them: then the whole numbers near number x 10^n are tried.
std::string digits_of(double number) {
  std::string text = shortest(number);
  if (!std::isfinite(number) || as_serde_json_reads(text) == number) return text;
  for (int precision = 15; precision <= 19; ++precision) {
    const std::string form = fmt::format("{:.{}e}", std::abs(number), precision);
    const std::size_t e = form.find('e');
    const int exponent = std::stoi(form.substr(e + 1)) - precision;
    double digits = std::stod(form.substr(0, 1) + form.substr(2, e - 2));
    for (int down = 0; down < 2; ++down) digits = std::nextafter(digits, 0.0);
    for (int tries = 0; tries < 5; ++tries, digits = std::nextafter(digits, 1e20)) {
      std::string tried = fmt::format("{}{:.0f}e{}", number < 0 ? "-" : "", digits, exponent);
      if (as_serde_json_reads(tried) == number) return tried;
    }
  }
  return text;
}

[[noreturn]] void wrong_kind(std::string_view path, std::string_view expected) {
  fail(ErrorCode::kCorrupt, "{}: expected {}, got another kind of value", path, expected);
}

}  // namespace

bool Json::as_bool(std::string_view path) const {
  if (const bool* value = std::get_if<bool>(&value_)) return *value;
  wrong_kind(path, "true or false");
}

std::int64_t Json::as_integer(std::string_view path) const {
  if (const std::int64_t* value = std::get_if<std::int64_t>(&value_)) return *value;
  wrong_kind(path, "an integer");
}

double Json::as_number(std::string_view path) const {
  if (const double* value = std::get_if<double>(&value_)) return *value;
  if (const std::int64_t* value = std::get_if<std::int64_t>(&value_))
    return static_cast<double>(*value);
  wrong_kind(path, "a number");
}

const std::string& Json::as_string(std::string_view path) const {
  if (const std::string* value = std::get_if<std::string>(&value_)) return *value;
  wrong_kind(path, "a string");
}

const Json::Array& Json::as_array(std::string_view path) const {
  if (const Array* value = std::get_if<Array>(&value_)) return *value;
  wrong_kind(path, "an array");
}

const Json::Object& Json::as_object(std::string_view path) const {
  if (const Object* value = std::get_if<Object>(&value_)) return *value;
  wrong_kind(path, "an object");
}

const Json& Json::get(std::string_view key, std::string_view path) const {
  static const Json kNull;
  for (const auto& [name, value] : as_object(path))
    if (name == key) return value;
  return kNull;
}

/// Builds the tree from the events of nlohmann's parser, which does not recurse.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Json take() { return std::move(root_); }

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(std::int64_t value) override { return add(Json(value)); }
  bool number_unsigned(std::uint64_t value) override {
    if (value > static_cast<std::uint64_t>(INT64_MAX)) return add(Json(static_cast<double>(value)));
    return add(Json(static_cast<std::int64_t>(value)));
  }
  bool number_float(double, const std::string& text) override {
    return add(Json(as_serde_json_reads(text)));
  }
  bool string(std::string& value) override { return add(Json(std::move(value))); }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json(Json::Object())); }
  bool start_array(std::size_t) override { return open(Json(Json::Array())); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    std::get<Json::Object>(stack_.back()->value_).emplace_back(std::move(name), Json());
    return true;
  }

  bool end_object() override {
    std::unordered_set<std::string_view> seen;
    for (const auto& [name, value] : std::get<Json::Object>(stack_.back()->value_))
      if (!seen.insert(name).second)
        fail(ErrorCode::kCorrupt, "JSON: the key '{}' stands twice in an object", name);
    return close();
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    // nlohmann's text starts with a code in brackets that helps nobody.
    std::string_view what = error.what();
    if (const std::size_t end = what.find("] "); end != std::string_view::npos)
      what.remove_prefix(end + 2);
    fail(ErrorCode::kCorrupt, "JSON: at byte {}: {}", position, what);
  }

 private:
  Json& place(Json value) {
    if (stack_.empty()) return root_ = std::move(value);
    Json& parent = *stack_.back();
    if (auto* array = std::get_if<Json::Array>(&parent.value_))
      return array->emplace_back(std::move(value));
    return std::get<Json::Object>(parent.value_).back().second = std::move(value);
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (stack_.size() >= kDeepest)
      fail(ErrorCode::kCorrupt, "JSON: expected at most {} levels, got more", kDeepest);
    stack_.push_back(&place(std::move(value)));
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> stack_;  // a container moves only while none of its elements is open
};

Json parse_json(std::string_view text) {
  JsonBuilder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder))
    fail(ErrorCode::kCorrupt, "JSON: cannot be read");
  return builder.take();
}

void only_keys(const Json& object, std::string_view path,
               std::initializer_list<std::string_view> keys) {
  for (const auto& [name, value] : object.as_object(path))
    if (std::find(keys.begin(), keys.end(), name) == keys.end())
      fail(ErrorCode::kUnsupported, "{}.{}: a key that is not implemented", path, name);
}

void write_json_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void Json::write(std::string& out, int indent) const {
  const auto line = [&](int levels) {
    out += '\n';
    out.append(static_cast<std::size_t>(levels) * 2, ' ');
  };
  const auto list = [&](char open, char close, const auto& items, const auto& item) {
    out += open;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i != 0) out += ',';
      line(indent + 1);
      item(items[i]);
    }
    if (!items.empty()) line(indent);
    out += close;
  };
  if (const bool* flag = std::get_if<bool>(&value_)) {
    out += *flag ? "true" : "false";
  } else if (const std::int64_t* integer = std::get_if<std::int64_t>(&value_)) {
    out += fmt::format("{}", *integer);
  } else if (const double* number = std::get_if<double>(&value_)) {
    out += digits_of(*number);
  } else if (const std::string* text = std::get_if<std::string>(&value_)) {
    write_json_string(*text, out);
  } else if (const Array* array = std::get_if<Array>(&value_)) {
    list('[', ']', *array, [&](const Json& value) { value.write(out, indent + 1); });
  } else if (const Object* object = std::get_if<Object>(&value_)) {
    list('{', '}', *object, [&](const auto& member) {
      write_json_string(member.first, out);
      out += ": ";
      member.second.write(out, indent + 1);
    });
  } else {
    out += "null";
  }
}

}  // namespace lathe::tokenize
