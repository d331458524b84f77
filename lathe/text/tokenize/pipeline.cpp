#include "lathe/text/tokenize/pipeline.h"

#include "lathe/text/tokenize/json_fields.h"
#include "lathe/text/tokenize/pre_tokenizer.h"

namespace lathe::tokenize {
namespace {

/// Whether nothing but NFC is asked for; sets `nfc` where it is.
bool is_nfc_or_none(const Json& part, const std::string& path, bool& nfc) {
  if (part.is_null()) return true;
  const std::string& type = type_of(part, path);
  if (type == "NFC") return nfc = true;
  if (type != "Sequence") return false;
  bool all = true;
  each_part(part, "normalizers", path, [&](const Json& inner, const std::string& at) {
    all = all && is_nfc_or_none(inner, at, nfc);
  });
  return all;
}

/// A list of splitters under construction.
struct Stages {
  std::vector<std::unique_ptr<Splitter>> splitters;
  bool add_prefix_space = false;
  bool byte_level = false;
};

/// False for a stage that the fast path does not know.
bool read_stage(const Json& part, const std::string& path, Stages& stages) {
  const std::string& type = type_of(part, path);
  if (type == "Sequence") {
    only_keys(part, path, {"type", "pretokenizers"});
    bool all = true;
    each_part(part, "pretokenizers", path, [&](const Json& inner, const std::string& at) {
      all = all && read_stage(inner, at, stages);
    });
    return all;
  }
  if (stages.byte_level) return false;
  if (type == "ByteLevel") {
    only_keys(part, path, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
    stages.byte_level = true;
    stages.add_prefix_space = flag(part, "add_prefix_space", path, true);
    if (flag(part, "use_regex", path, true)) stages.splitters.push_back(make_gpt2_splitter());
    return !stages.add_prefix_space || stages.splitters.size() <= 1;
  }
  std::unique_ptr<Splitter> splitter = read_splitter(part, path);
  if (splitter == nullptr) return false;
  stages.splitters.push_back(std::move(splitter));
  return true;
}

bool is_byte_level_or_none(const Json& decoder) {
  return decoder.is_null() || type_of(decoder, "decoder") == "ByteLevel";
}

void read_template(const Json& part, const std::string& path, SequenceTemplate& out) {
  only_keys(part, path, {"type", "single", "pair", "special_tokens"});
  bool after_text = false;
  const Json::Array& pieces = part.get("single", path).as_array(path + ".single");
  std::vector<std::int32_t> before, behind;
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
      (after_text ? behind : before).push_back(read_id(id, at + ".ids"));
  }
  // One template around another.
  out.prefix.insert(out.prefix.begin(), before.begin(), before.end());
  out.suffix.insert(out.suffix.end(), behind.begin(), behind.end());
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
  if (type == "Sequence") {
    only_keys(part, path, {"type", "processors"});
    each_part(part, "processors", path, [&](const Json& inner, const std::string& at) {
      read_post_processor(inner, at, out);
    });
  } else if (type == "TemplateProcessing") {
    read_template(part, path, out);
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    out.prefix.insert(out.prefix.begin(), second_of_pair(part, "cls", path));
    out.suffix.push_back(second_of_pair(part, "sep", path));
  } else {
    unsupported(path + ".type", type,
                "ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing or Sequence");
  }
}

}  // namespace

std::optional<ByteLevelParts> byte_level_parts(const Json& normalizer, const Json& pre_tokenizer,
                                               const Json& decoder) {
  ByteLevelParts parts;
  if (pre_tokenizer.is_null() || !is_byte_level_or_none(decoder) ||
      !is_nfc_or_none(normalizer, "normalizer", parts.nfc))
    return std::nullopt;
  Stages stages;
  if (!read_stage(pre_tokenizer, "pre_tokenizer", stages) || !stages.byte_level)
    return std::nullopt;
  parts.add_prefix_space = stages.add_prefix_space;
  parts.splitter = make_chain(std::move(stages.splitters));
  return parts;
}

SequenceTemplate read_post_processor(const Json& post_processor) {
  SequenceTemplate out;
  if (!post_processor.is_null()) read_post_processor(post_processor, "post_processor", out);
  return out;
}

}  // namespace lathe::tokenize
