#include "lathe/text/tokenize/pipeline.h"

#include <limits>

#include "lathe/base/error.h"

namespace lathe::tokenize {
namespace {

[[noreturn]] void unsupported(std::string_view path, std::string_view got, std::string_view known) {
  fail(ErrorCode::kUnsupported, "{}: expected {}, got '{}'", path, known, got);
}

const std::string& type_of(const Json& part, const std::string& path) {
  return part.get("type", path).as_string(path + ".type");
}

bool flag(const Json& part, std::string_view key, const std::string& path, bool otherwise) {
  const Json& value = part.get(key, path);
  return value.is_null() ? otherwise : value.as_bool(path + "." + std::string(key));
}

std::int32_t read_id(const Json& value, const std::string& path) {
  const std::int64_t id = value.as_integer(path);
  if (id < 0 || id > std::numeric_limits<std::int32_t>::max())
    fail(ErrorCode::kCorrupt, "{}: expected a token id, got {}", path, id);
  return static_cast<std::int32_t>(id);
}

std::string quoted_for_regex(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view("\\^$.[]|()?*+{}").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

std::unique_ptr<Splitter> read_split(const Json& part, const std::string& path) {
  only_keys(part, path, {"type", "pattern", "behavior", "invert"});
  const Json& pattern = part.get("pattern", path);
  only_keys(pattern, path + ".pattern", {"Regex", "String"});
  const Json& regex = pattern.get("Regex", path);
  const std::string source =
      regex.is_null()
          ? quoted_for_regex(pattern.get("String", path).as_string(path + ".pattern.String"))
          : regex.as_string(path + ".pattern.Regex");
  const std::string& behavior = part.get("behavior", path).as_string(path + ".behavior");
  const bool invert = flag(part, "invert", path, false);
  if (behavior == "Isolated") return make_pattern_splitter(source, MatchUse::kIsolated);
  if (behavior == "Removed")
    return make_pattern_splitter(source,
                                 invert ? MatchUse::kKeepMatchesOnly : MatchUse::kRemoveMatches);
  unsupported(path + ".behavior", behavior, "Isolated or Removed");
}

/// A list of splitters under construction.
struct Stages {
  std::vector<std::unique_ptr<Splitter>> splitters;
  bool add_prefix_space = false;
  bool byte_level = false;
};

void read_stage(const Json& part, const std::string& path, Stages& stages) {
  const std::string& type = type_of(part, path);
  if (type == "Sequence") {
    only_keys(part, path, {"type", "pretokenizers"});
    const Json::Array& parts = part.get("pretokenizers", path).as_array(path + ".pretokenizers");
    for (std::size_t i = 0; i < parts.size(); ++i)
      read_stage(parts[i], path + ".pretokenizers[" + std::to_string(i) + "]", stages);
    return;
  }
  if (stages.byte_level) unsupported(path + ".type", type, "nothing after ByteLevel");
  if (type == "ByteLevel") {
    only_keys(part, path, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
    stages.byte_level = true;
    stages.add_prefix_space = flag(part, "add_prefix_space", path, true);
    if (stages.add_prefix_space && !stages.splitters.empty())
      unsupported(path + ".add_prefix_space", "true", "false after another splitter");
    if (flag(part, "use_regex", path, true)) stages.splitters.push_back(make_gpt2_splitter());
  } else if (type == "Split") {
    stages.splitters.push_back(read_split(part, path));
  } else if (type == "Digits") {
    only_keys(part, path, {"type", "individual_digits"});
    stages.splitters.push_back(make_digits_splitter(flag(part, "individual_digits", path, false)));
  } else {
    unsupported(path + ".type", type, "ByteLevel, Split, Digits or Sequence");
  }
}

void read_template(const Json& part, const std::string& path, SequenceTemplate& out) {
  only_keys(part, path, {"type", "single", "pair", "special_tokens"});
  bool after_text = false;
  const Json::Array& pieces = part.get("single", path).as_array(path + ".single");
  for (const Json& piece : pieces) {
    only_keys(piece, path + ".single", {"SpecialToken", "Sequence"});
    const Json& special = piece.get("SpecialToken", path);
    if (special.is_null()) {
      if (after_text) unsupported(path + ".single", "a second Sequence", "one Sequence");
      after_text = true;
      continue;
    }
    const std::string& name = special.get("id", path).as_string(path + ".single.id");
    const std::string at = path + ".special_tokens." + name;
    const Json& entry = part.get("special_tokens", path).get(name, path + ".special_tokens");
    for (const Json& id : entry.get("ids", at).as_array(at + ".ids"))
      (after_text ? out.suffix : out.prefix).push_back(read_id(id, at + ".ids"));
  }
}

std::int32_t second_of_pair(const Json& part, std::string_view key, const std::string& path) {
  const std::string at = path + "." + std::string(key);
  const Json::Array& pair = part.get(key, path).as_array(at);
  if (pair.size() != 2)
    fail(ErrorCode::kCorrupt, "{}: expected a name and an id, got {} values", at, pair.size());
  return read_id(pair[1], at);
}

void read_post_processor(const Json& part, const std::string& path, SequenceTemplate& out) {
  const std::string& type = type_of(part, path);
  if (type == "ByteLevel") return;  // moves offsets, which Lathe does not report
  if (!out.prefix.empty() || !out.suffix.empty())
    unsupported(path + ".type", type, "one template only");
  if (type == "Sequence") {
    only_keys(part, path, {"type", "processors"});
    for (const Json& inner : part.get("processors", path).as_array(path + ".processors"))
      read_post_processor(inner, path + ".processors", out);
  } else if (type == "TemplateProcessing") {
    read_template(part, path, out);
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    out.prefix.push_back(second_of_pair(part, "cls", path));
    out.suffix.push_back(second_of_pair(part, "sep", path));
  } else {
    unsupported(path + ".type", type,
                "ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing or Sequence");
  }
}

}  // namespace

bool read_normalizer(const Json& normalizer) {
  if (normalizer.is_null()) return false;
  const std::string path = "normalizer";
  const std::string& type = type_of(normalizer, path);
  if (type == "NFC") return true;
  if (type == "Sequence") {
    bool nfc = false;
    for (const Json& part : normalizer.get("normalizers", path).as_array(path + ".normalizers"))
      nfc |= read_normalizer(part);
    return nfc;
  }
  unsupported(path + ".type", type, "NFC or none");
}

PreTokenizer read_pre_tokenizer(const Json& pre_tokenizer) {
  const std::string path = "pre_tokenizer";
  if (pre_tokenizer.is_null())
    fail(ErrorCode::kUnsupported, "{}: expected one that ends in ByteLevel, got none", path);
  Stages stages;
  read_stage(pre_tokenizer, path, stages);
  if (!stages.byte_level)
    fail(ErrorCode::kUnsupported, "{}: expected one that ends in ByteLevel, got none", path);
  return {make_chain(std::move(stages.splitters)), stages.add_prefix_space};
}

SequenceTemplate read_post_processor(const Json& post_processor) {
  SequenceTemplate out;
  if (!post_processor.is_null()) read_post_processor(post_processor, "post_processor", out);
  return out;
}

void check_decoder(const Json& decoder) {
  if (decoder.is_null()) return;
  const std::string& type = type_of(decoder, "decoder");
  if (type != "ByteLevel") unsupported("decoder.type", type, "ByteLevel");
}

}  // namespace lathe::tokenize
