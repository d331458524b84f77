// Helpers of this folder's tests: golden files, random text, small tokenizers.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "lathe/base/files.h"
#include "lathe/base/random.h"
#include "lathe/text/tokenize/json_tree.h"
#include "lathe/text/tokenize/unicode.h"

namespace lathe::tokenize {

inline std::filesystem::path source_root() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
}

inline std::string golden_text(const std::string& name) {
  return real_files().read_all((source_root() / "tests/golden/tokenizer" / name).string());
}

inline const Json& golden_cases() {
  static const Json cases = parse_json(golden_text("cases.json"));
  return cases;
}

inline std::vector<std::string> strings(const Json& list) {
  std::vector<std::string> out;
  for (const Json& item : list.as_array("strings")) out.push_back(item.as_string("string"));
  return out;
}

inline std::vector<std::int32_t> integers(const Json& list) {
  std::vector<std::int32_t> out;
  for (const Json& item : list.as_array("integers"))
    out.push_back(static_cast<std::int32_t>(item.as_integer("integer")));
  return out;
}

/// Numbers and texts that depend on the seed only.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed, "tokenize tests") {}

  std::uint64_t below(std::uint64_t n) { return random_.below(n, at_++); }

  std::string bytes(std::size_t n) {
    std::string out;
    for (std::size_t i = 0; i < n; ++i) out.push_back(static_cast<char>(below(256)));
    return out;
  }

  /// Characters of all kinds, with runs, contractions and line ends far more often than by chance.
  std::string text(std::size_t n) {
    static constexpr std::string_view kSome[] = {"a",
                                                 "b",
                                                 "Z",
                                                 "Q",
                                                 "7",
                                                 "0",
                                                 " ",
                                                 "  ",
                                                 "\n",
                                                 "\r\n",
                                                 "\t",
                                                 "'",
                                                 "'s",
                                                 "'S",
                                                 "'Ll",
                                                 "'ve",
                                                 "'t",
                                                 "!",
                                                 "/",
                                                 "...",
                                                 "\xC5\xBF",
                                                 "é",
                                                 "ß",
                                                 "Ж",
                                                 "語",
                                                 "한",
                                                 "\xCC\x81",
                                                 "\xC2\xA0",
                                                 "\xE3\x80\x80",
                                                 "\xC2\x85",
                                                 "\xE1\xA0\x8E",
                                                 "ǅ",
                                                 "ʰ",
                                                 "²",
                                                 "Ⅳ",
                                                 "😀"};
    std::string out;
    for (std::size_t i = 0; i < n; ++i) {
      if (below(8) == 0) {
        CodePoint c = static_cast<CodePoint>(below(below(2) == 0 ? 0x3000 : 0x110000));
        if (c >= 0xD800 && c < 0xE000) c = 'x';
        append_utf8(c, out);
      } else {
        const std::string_view piece = kSome[below(std::size(kSome))];
        for (std::uint64_t repeat = 1 + below(3) * below(2); repeat-- > 0;) out += piece;
      }
    }
    return out;
  }

 private:
  RandomStream random_;
  std::uint64_t at_ = 0;
};

}  // namespace lathe::tokenize
