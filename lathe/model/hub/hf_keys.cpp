#include "lathe/model/hub/hf_keys.h"

#include <cmath>

#include "lathe/base/error.h"

namespace lathe::model {
namespace {

// transformers 5.23, configuration_<kind>.py.
constexpr HfDefaults kDefaults[] = {
    {"gpt2", 50257, 768, 0, 12, 12, 0, 0, 1024, 1e-5, true, 1e4, 0},
    {"gpt_neox", 50432, 6144, 24576, 44, 64, 0, 0, 2048, 1e-5, false, 1e4, 0},
    {"llama", 32000, 4096, 11008, 32, 32, 0, 0, 2048, 1e-6, false, 1e4, 0},
    {"mistral", 32000, 4096, 14336, 32, 32, 8, 0, 131072, 1e-6, false, 1e4, 4096},
    {"qwen2", 151936, 4096, 22016, 32, 32, 32, 0, 32768, 1e-6, false, 1e4, 4096},
    {"qwen3", 151936, 4096, 22016, 32, 32, 32, 128, 32768, 1e-6, false, 1e4, 4096},
    {"phi3", 32064, 3072, 8192, 32, 32, 0, 0, 4096, 1e-5, false, 1e4, 0},
    {"gemma2", 256000, 2304, 9216, 26, 8, 4, 256, 8192, 1e-6, true, 1e4, 4096},
    {"gemma3_text", 262208, 2304, 9216, 26, 8, 4, 256, 131072, 1e-6, true, 1e6, 4096},
    {"olmo2", 50304, 4096, 11008, 32, 32, 0, 0, 2048, 1e-5, false, 1e4, 0},
    {"smollm3", 128256, 2048, 11008, 36, 16, 4, 0, 32768, 1e-6, true, 2e6, 0},
};

bool is_number(const Tree& tree) {
  return tree.kind == Tree::Kind::integer || tree.kind == Tree::Kind::real;
}

double number_of(const Tree& tree) {
  return tree.kind == Tree::Kind::integer ? static_cast<double>(tree.integer) : tree.real;
}

}  // namespace

const HfDefaults* hf_defaults(std::string_view kind) {
  for (const HfDefaults& d : kDefaults)
    if (d.kind == kind) return &d;
  return nullptr;
}

void HfKeys::wrong(std::string_view key, const char* expected, const Tree& found) const {
  fail(ErrorCode::kInvalidArgument, "{}: {}: expected {}, found {}", source_, key, expected,
       describe(found));
}

const Tree* HfKeys::find(std::string_view key) const {
  const Tree* value = tree_->find(key);
  return value == nullptr || value->kind == Tree::Kind::null ? nullptr : value;
}

std::int64_t HfKeys::integer(std::string_view key, std::int64_t fallback) const {
  const Tree* value = find(key);
  if (value == nullptr) return fallback;
  if (value->kind == Tree::Kind::integer) return value->integer;
  if (value->kind == Tree::Kind::real && std::floor(value->real) == value->real &&
      std::abs(value->real) < 1e15)
    return static_cast<std::int64_t>(value->real);
  wrong(key, "a whole number", *value);
}

double HfKeys::number(std::string_view key, double fallback) const {
  const Tree* value = find(key);
  if (value == nullptr) return fallback;
  if (!is_number(*value)) wrong(key, "a number", *value);
  return number_of(*value);
}

bool HfKeys::boolean(std::string_view key, bool fallback) const {
  const Tree* value = find(key);
  if (value == nullptr) return fallback;
  if (value->kind != Tree::Kind::boolean) wrong(key, "true or false", *value);
  return value->boolean;
}

std::string HfKeys::text(std::string_view key, std::string_view fallback) const {
  const Tree* value = find(key);
  if (value == nullptr) return std::string(fallback);
  if (value->kind != Tree::Kind::string) wrong(key, "a string", *value);
  return value->text;
}

const Tree* HfKeys::list(std::string_view key) const {
  const Tree* value = find(key);
  if (value != nullptr && value->kind != Tree::Kind::array) wrong(key, "a list", *value);
  return value;
}

std::vector<double> HfKeys::numbers(std::string_view key) const {
  std::vector<double> out;
  const Tree* values = list(key);
  if (values == nullptr) return out;
  for (const Tree& item : values->items) {
    if (!is_number(item)) wrong(key, "a list of numbers", item);
    out.push_back(number_of(item));
  }
  return out;
}

std::vector<std::int64_t> HfKeys::integers(std::string_view key) const {
  const Tree* value = find(key);
  if (value == nullptr) return {};
  if (value->kind == Tree::Kind::integer) return {value->integer};
  std::vector<std::int64_t> out;
  for (const Tree& item : list(key)->items) {
    if (item.kind != Tree::Kind::integer) wrong(key, "a list of whole numbers", item);
    out.push_back(item.integer);
  }
  return out;
}

std::vector<std::string> HfKeys::texts(std::string_view key) const {
  std::vector<std::string> out;
  const Tree* values = list(key);
  if (values == nullptr) return out;
  for (const Tree& item : values->items) {
    if (item.kind != Tree::Kind::string) wrong(key, "a list of strings", item);
    out.push_back(item.text);
  }
  return out;
}

std::optional<HfKeys> HfKeys::object(std::string_view key) const {
  const Tree* value = find(key);
  if (value == nullptr) return {};
  if (value->kind != Tree::Kind::table) wrong(key, "an object", *value);
  return HfKeys(*value, source_ + ": " + std::string(key));
}

}  // namespace lathe::model
