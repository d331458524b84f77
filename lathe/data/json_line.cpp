#include "lathe/data/json_line.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "lathe/base/error.h"
#include "lathe/data/text.h"

namespace lathe::data {
namespace {

constexpr std::size_t kExplainable = 1 << 20;  // bytes; longer lines get the short reason only

/// Collects one member of the outermost object while nlohmann's parser checks the whole line.
class FieldSax final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit FieldSax(std::string_view field) : field_(field) {}

  bool null() override { return value("null"); }
  bool boolean(bool) override { return value("a boolean"); }
  bool number_integer(number_integer_t) override { return value("a number"); }
  bool number_unsigned(number_unsigned_t) override { return value("a number"); }
  bool number_float(number_float_t, const string_t&) override { return value("a number"); }
  bool binary(binary_t&) override { return value("binary"); }
  bool string(string_t& text) override {
    if (depth_ == 1 && matches_) found_ = std::move(text);
    return value("a string");
  }
  bool start_object(std::size_t) override { return open("an object"); }
  bool start_array(std::size_t) override { return open("an array"); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (depth_ == 1) matches_ = name == field_;
    if (depth_ == 1 && matches_) ++times_;
    return true;
  }
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::json::exception& e) override {
    // The parser's own words without its front: "[json...] parse error at line 1, column 9: ".
    const std::string_view what = e.what();
    const std::size_t cut = what.find(": ");
    error_ =
        fmt::format("column {}: {}", at, what.substr(cut == std::string_view::npos ? 0 : cut + 2));
    return false;
  }

  std::string_view field_;
  std::string root_;   // kind of the outermost value
  std::string kind_;   // kind of the field's value
  std::string found_;  // the field's value where it is a string
  std::string error_;
  int times_ = 0;

 private:
  bool value(std::string_view kind) {
    if (depth_ == 0) root_ = kind;
    if (depth_ == 1 && matches_) kind_ = kind;
    return true;
  }
  bool open(std::string_view kind) {
    value(kind);
    ++depth_;
    return true;
  }
  bool close() {
    --depth_;
    return true;
  }

  std::int64_t depth_ = 0;
  bool matches_ = false;
};

std::string_view kind_name(simdjson::dom::element_type type) {
  using simdjson::dom::element_type;
  switch (type) {
    case element_type::ARRAY:
      return "an array";
    case element_type::OBJECT:
      return "an object";
    case element_type::STRING:
      return "a string";
    case element_type::BOOL:
      return "a boolean";
    case element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

}  // namespace

struct JsonLine::State {
  simdjson::dom::parser parser{simdjson::SIMDJSON_MAXSIZE_BYTES};
  std::vector<char> padded;
  std::string text;  // of the slow path

  Outcome fast(std::string_view line, std::string_view field, bool& decided);
  Outcome slow(std::string_view line, std::string_view field);
};

JsonLine::JsonLine() : state_(std::make_unique<State>()) {}
JsonLine::~JsonLine() = default;
JsonLine::JsonLine(JsonLine&&) noexcept = default;
JsonLine& JsonLine::operator=(JsonLine&&) noexcept = default;

JsonLine::Outcome JsonLine::State::fast(std::string_view line, std::string_view field,
                                        bool& decided) {
  // Grown in powers of two, so that slowly growing lines do not reallocate each time.
  const std::size_t room = std::bit_ceil(std::max<std::size_t>(line.size(), 4096));
  if (padded.size() < room + simdjson::SIMDJSON_PADDING) {
    padded.resize(room + simdjson::SIMDJSON_PADDING);
    if (parser.allocate(room) != simdjson::SUCCESS)
      fail(ErrorCode::kOutOfMemory, "JSON line of {} bytes: no memory to parse it", line.size());
  }
  std::memcpy(padded.data(), line.data(), line.size());
  std::memset(padded.data() + line.size(), ' ', simdjson::SIMDJSON_PADDING);

  simdjson::dom::element root;
  decided = parser.parse(padded.data(), line.size(), false).get(root) == simdjson::SUCCESS;
  if (!decided) return {};
  simdjson::dom::object object;
  if (root.get(object) != simdjson::SUCCESS)
    return {.issue = Issue::kBadJson, .got = kind_name(root.type())};
  Outcome outcome{.issue = Issue::kMissingField, .got = "an object without it"};
  int times = 0;
  for (const auto& [key, value] : object) {
    if (key != field) continue;
    if (++times > 1) return {.issue = Issue::kRepeatedField, .got = "it more than once"};
    outcome.ok = value.get(outcome.text) == simdjson::SUCCESS;
    if (!outcome.ok) outcome.issue = Issue::kNotAString, outcome.got = kind_name(value.type());
  }
  return outcome;
}

JsonLine::Outcome JsonLine::State::slow(std::string_view line, std::string_view field) {
  if (!is_utf8(line)) return {.issue = Issue::kBadUtf8, .got = "bad UTF-8"};
  FieldSax sax(field);
  if (!nlohmann::json::sax_parse(line.begin(), line.end(), &sax))
    return {.issue = Issue::kBadJson, .got = "broken JSON"};
  if (sax.root_ != "an object") return {.issue = Issue::kBadJson, .got = "no object"};
  if (sax.times_ == 0) return {.issue = Issue::kMissingField, .got = "an object without it"};
  if (sax.times_ > 1) return {.issue = Issue::kRepeatedField, .got = "it more than once"};
  if (sax.kind_ != "a string") return {.issue = Issue::kNotAString, .got = "no string"};
  text = std::move(sax.found_);
  return {.ok = true, .text = text};
}

JsonLine::Outcome JsonLine::parse(std::string_view line, std::string_view field) {
  bool decided = false;
  const Outcome outcome = state_->fast(line, field, decided);
  return decided ? outcome : state_->slow(line, field);
}

std::string JsonLine::explain(std::string_view line, std::string_view field,
                              const Outcome& outcome) const {
  if (outcome.issue == Issue::kBadUtf8) return explain_bad_utf8(line);
  if (outcome.issue != Issue::kBadJson) {
    return fmt::format("expected a string in the field \"{}\", got {}", field, outcome.got);
  }
  std::string reason(outcome.got);
  if (line.size() <= kExplainable) {
    FieldSax sax(field);
    if (!nlohmann::json::sax_parse(line.begin(), line.end(), &sax))
      reason = fmt::format("{} ({})", reason, sax.error_);
  }
  return fmt::format("expected one JSON object with the field \"{}\", got {}", field, reason);
}

}  // namespace lathe::data
