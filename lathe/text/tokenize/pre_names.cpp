#include "lathe/text/tokenize/pre_names.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "lathe/text/tokenize/splitter.h"

namespace lathe::tokenize {
namespace {

/// A step that is no regular expression: each digit by itself.
constexpr const char* kDigits = "";

#define LATHE_CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LATHE_UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LATHE_LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define LATHE_SPACES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

constexpr const char* kTekken =
    "[^\\r\\n\\p{L}\\p{N}]?" LATHE_UPPER "*" LATHE_LOWER "+|[^\\r\\n\\p{L}\\p{N}]?" LATHE_UPPER
    "+" LATHE_LOWER "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" LATHE_SPACES;
constexpr const char* kQwen35 = LATHE_CONTRACTION
    "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
    "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" LATHE_SPACES;
constexpr const char* kNoContraction =
    "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" LATHE_SPACES;
constexpr const char* kBailing =
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|"
    "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
constexpr const char* kSeedCoder = LATHE_CONTRACTION
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+" LATHE_SPACES;
constexpr const char* kMiniCpm5 = LATHE_CONTRACTION
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}+| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" LATHE_SPACES;
constexpr const char* kExaoneMoe = LATHE_CONTRACTION
    "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
constexpr const char* kJais2 = LATHE_CONTRACTION
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
    "\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|"
    "\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}";
constexpr const char* kYoutuWords =
    "[^\\r\\n\\p{L}\\p{N}]?" LATHE_UPPER "*" LATHE_LOWER "+" LATHE_CONTRACTION
    "?|[^\\r\\n\\p{L}\\p{N}]?" LATHE_UPPER "+" LATHE_LOWER "*" LATHE_CONTRACTION
    "?|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" LATHE_SPACES;
/// Like o200k, with Chinese characters as words of their own.
constexpr const char* kKimi =
    "[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*"
    "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+" LATHE_CONTRACTION
    "?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+"
    "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*" LATHE_CONTRACTION
    "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" LATHE_SPACES;
constexpr const char* kWestAsianMarks = " ?[^(\\s|.,!?…。，、।۔،)]+";
/// Letters of alphabets with upper and lower case, as DeepSeek's first tokenizer lists them.
constexpr const char* kCasedWords =
    "\\s?[A-Za-z"
    "\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af"
    "\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1"
    "\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8"
    "-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-"
    "\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-"
    "\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-"
    "\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-"
    "\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149"
    "\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d"
    "\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13"
    "-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3"
    "\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df"
    "\U0001e900-\U0001e943]+";
constexpr const char* kCjk = "[一-龥ࠀ-一가-퟿]+";
constexpr const char* kHanAndKana = "[一-龥\\x{3040}-ゟ゠-ヿ]+";
constexpr const char* kDeepSeek3 =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?"
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*" LATHE_SPACES;
constexpr const char* kSpark =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?"
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+|[\\r\\n]|\\s+(?!\\S)|\\s+";

#undef LATHE_CONTRACTION
#undef LATHE_UPPER
#undef LATHE_LOWER
#undef LATHE_SPACES

using Steps = std::vector<const char*>;

/// Names that mean the same, the one to write first, and the expressions that cut one after
/// another.
struct Entry {
  std::vector<std::string_view> names;
  Steps steps;
  bool ignore_merges = false, add_bos = false;
};

const std::vector<Entry>& entries() {
  const char* gpt2 = well_known_pattern("gpt2");
  const char* gpt4 = well_known_pattern("gpt4");
  const char* qwen2 = well_known_pattern("qwen2");
  const char* o200k = well_known_pattern("o200k");
  // Facts of llama.cpp (src/llama-vocab.cpp); where it approximates a published expression, the
  // published one stands here.
  static const std::vector<Entry> kEntries = {
      {{"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "jina-es",
        "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum", "modern-bert",
        "jina-v1-en", "jina-v2-code", "roberta-bpe", "exaone4"},
       {gpt2}},
      {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
        "jina-v5-nano"},
       {gpt4},
       true,
       true},
      {{"dbrx", "smaug-bpe", "chatglm-bpe"}, {gpt4}},
      {{"glm4", "glm5"}, {gpt4}, true},
      {{"qwen2", "stablelm2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "hunyuan",
        "solar-open", "grok-2"},
       {qwen2}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b",
        "mellum2"},
       {kDigits, gpt2}},
      {{"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, {o200k}},
      {{"kimi-k2"}, {kKimi}},
      {{"tiny_aya", "cohere2moe"}, {"\\d{1,3}(?=(?:\\d{3})*\\b)", o200k}},
      {{"tekken"}, {kTekken}, true, true},
      {{"qwen35"}, {kQwen35}},
      {{"deepseek-llm"},
       {"[\r\n]", kCasedWords, "\\s?[!-/:-~！-／：-～‘-‟\\x{3000}-。]+", "\\s+$", kCjk, "\\p{N}+"}},
      {{"deepseek-coder"}, {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", kCjk, "\\p{N}"}},
      {{"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"},
       {"\\p{N}{1,3}", kHanAndKana, kDeepSeek3}},
      {{"spark2_5"}, {"\\p{N}{1,3}", kHanAndKana, kSpark, "\\p{N}"}},
      {{"falcon"}, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2, "[0-9][0-9][0-9]"}},
      {{"bloom", "poro-chat", "gpt3-finnish"}, {kWestAsianMarks}},
      {{"viking"}, {kWestAsianMarks, "\\p{N}"}},
      {{"chameleon"},
       {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", "\\p{N}",
        "[\\p{P}!-/:-@\\[-`{-~]", gpt2},
       false,
       true},
      {{"bailingmoe", "bailingmoe2", "llada-moe"}, {kBailing}},
      {{"seed-coder"}, {kSeedCoder}},
      {{"ufakzeka"}, {kNoContraction}},
      {{"laguna"}, {"[^\\n]+|[\\n]+", qwen2}},
      {{"exaone-moe"}, {kExaoneMoe}},
      {{"minicpm5"}, {"\\p{N}{1,3}", kMiniCpm5}, true},
      {{"jais-2"}, {kJais2}},
      {{"youtu"},
       {"[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\\x{3040}-ゟ゠-ヿ]+", kYoutuWords},
       true},
      {{"default"}, {"[\\p{P}\\$\\+<=>\\^~\\|]+", gpt2, "\\p{N}+", "[0-9][0-9][0-9]"}},
  };
  return kEntries;
}

Json member(std::string_view name, Json::Object rest) {
  rest.insert(rest.begin(), {"type", Json(std::string(name))});
  return Json(std::move(rest));
}

Json byte_level(bool use_regex) {
  return member("ByteLevel", {{"add_prefix_space", Json(false)},
                              {"trim_offsets", Json(true)},
                              {"use_regex", Json(use_regex)}});
}

Json as_json(const Steps& steps) {
  const char* gpt2 = well_known_pattern("gpt2");
  const bool ends_in_gpt2 = steps.back() == gpt2;
  Json::Array parts;
  for (const char* step : steps) {
    if (step == kDigits) {
      parts.push_back(member("Digits", {{"individual_digits", Json(true)}}));
    } else if (step != steps.back() || !ends_in_gpt2) {
      parts.push_back(
          member("Split", {{"pattern", Json(Json::Object{{"Regex", Json(std::string(step))}})},
                           {"behavior", Json(std::string("Isolated"))},
                           {"invert", Json(false)}}));
    }
  }
  parts.push_back(byte_level(ends_in_gpt2));
  if (parts.size() == 1) return parts[0];
  return member("Sequence", {{"pretokenizers", Json(std::move(parts))}});
}

/// The stages of a pre-tokenizer as comparable text: options without influence left out.
std::string signature(const Json& pre_tokenizer) {
  std::string out;
  const Json& parts = pre_tokenizer.get("pretokenizers", "pre_tokenizer");
  if (parts.is_array()) {
    for (const Json& part : parts.as_array("pretokenizers")) out += signature(part);
    return out;
  }
  const std::string& type = pre_tokenizer.get("type", "").as_string("type");
  if (type == "ByteLevel") {
    const Json& prefix = pre_tokenizer.get("add_prefix_space", "");
    const Json& regex = pre_tokenizer.get("use_regex", "");
    if (prefix.is_null() || prefix.as_bool("add_prefix_space")) out += "prefix space\n";
    const bool cuts = regex.is_null() || regex.as_bool("use_regex");
    return out + (cuts ? well_known_pattern("gpt2") + std::string("\n") : "");
  }
  if (type == "Digits") {
    const Json& single = pre_tokenizer.get("individual_digits", "");
    const bool each = !single.is_null() && single.as_bool("individual_digits");
    return each ? "\\p{N}\n" : "\\p{N}+\n";
  }
  const Json& pattern = pre_tokenizer.get("pattern", "");
  const Json& regex = pattern.is_object() ? pattern.get("Regex", "") : pattern;
  const Json& behavior = pre_tokenizer.get("behavior", "");
  const Json& invert = pre_tokenizer.get("invert", "");
  const bool inverted = !invert.is_null() && invert.as_bool("invert");
  if (type == "Split" && regex.is_string() && behavior.is_string()) {
    // Of an expression that matches everything, "removed" inverted are all its matches.
    const std::string& use = behavior.as_string("behavior");
    if (use == "Isolated" || (use == "Removed" && inverted))
      return canonical_pattern(regex.as_string("Regex")) + "\n";
  }
  pre_tokenizer.write(out, 0);
  return out;
}

}  // namespace

std::optional<NamedPreTokenizer> named_pre_tokenizer(std::string_view name) {
  if (name.empty()) name = "default";
  for (const Entry& entry : entries())
    if (std::find(entry.names.begin(), entry.names.end(), name) != entry.names.end())
      return NamedPreTokenizer{as_json(entry.steps), entry.ignore_merges, entry.add_bos};
  return std::nullopt;
}

std::vector<std::string_view> pre_tokenizer_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : entries())
    names.insert(names.end(), entry.names.begin(), entry.names.end());
  return names;
}

std::optional<std::string> name_of_pre_tokenizer(const Json& pre_tokenizer, bool ignore_merges) {
  if (!pre_tokenizer.is_object()) return std::nullopt;
  const std::string wanted = signature(pre_tokenizer);
  std::optional<std::string> second_best;
  for (const Entry& entry : entries()) {
    if (signature(as_json(entry.steps)) != wanted) continue;
    if (entry.ignore_merges == ignore_merges) return std::string(entry.names[0]);
    if (!second_best) second_best = std::string(entry.names[0]);
  }
  return second_best;
}

}  // namespace lathe::tokenize
