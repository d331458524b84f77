#include "lathe/text/tokenize/tiktoken_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <unordered_map>

#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_alphabet.h"
#include "lathe/text/tokenize/charsmap.h"

namespace lathe::tokenize {
namespace {

struct RankedToken {
  std::string bytes;
  std::int32_t rank;
};

RankedToken read_line(std::string_view line, std::size_t number) {
  const std::size_t space = line.find(' ');
  std::optional<std::string> bytes = from_base64(line.substr(0, space));
  std::int32_t rank = -1;
  if (space != std::string_view::npos) {
    const char* end = line.data() + line.size();
    if (std::from_chars(line.data() + space + 1, end, rank).ptr != end) rank = -1;
  }
  if (!bytes || bytes->empty() || rank < 0)
    fail(ErrorCode::kCorrupt, "line {}: expected 'base64 rank', got '{}'", number,
         line.substr(0, 80));
  return {std::move(*bytes), rank};
}

std::vector<RankedToken> read_ranks(std::string_view ranks) {
  std::vector<RankedToken> tokens;
  for (std::size_t number = 1; !ranks.empty(); ++number) {
    const std::size_t end = std::min(ranks.find('\n'), ranks.size());
    std::string_view line = ranks.substr(0, end);
    ranks.remove_prefix(std::min(end + 1, ranks.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) tokens.push_back(read_line(line, number));
  }
  return tokens;
}

/// tiktoken merges any two neighbours that are a token together, by the rank of that token: as
/// merges, every way to cut a token into two tokens.
void add_merges(const std::vector<RankedToken>& tokens, ByteLevelBpeSpec& spec) {
  std::unordered_map<std::string_view, std::int32_t> rank_of;
  for (const RankedToken& token : tokens) rank_of.emplace(token.bytes, token.rank);
  struct Cut {
    std::int32_t rank, left, right;
    const RankedToken* token;
    std::size_t at;
  };
  std::vector<Cut> cuts;
  for (const RankedToken& token : tokens) {
    const std::string_view bytes = token.bytes;
    for (std::size_t at = 1; at < bytes.size(); ++at) {
      const auto left = rank_of.find(bytes.substr(0, at)), right = rank_of.find(bytes.substr(at));
      if (left != rank_of.end() && right != rank_of.end())
        cuts.push_back({token.rank, left->second, right->second, &token, at});
    }
  }
  std::sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) {
    return std::array{a.rank, a.left, a.right} < std::array{b.rank, b.left, b.right};
  });
  for (const Cut& cut : cuts)
    spec.merges.emplace_back(to_alphabet(std::string_view(cut.token->bytes).substr(0, cut.at)),
                             to_alphabet(std::string_view(cut.token->bytes).substr(cut.at)));
}

}  // namespace

std::unique_ptr<ByteLevelBpe> from_tiktoken(const TiktokenParts& parts) {
  const std::vector<RankedToken> tokens = read_ranks(parts.ranks);
  ByteLevelBpeSpec spec;
  spec.ignore_merges = true;  // tiktoken looks a whole word up first
  for (const RankedToken& token : tokens)
    spec.vocab.emplace_back(to_alphabet(token.bytes), token.rank);
  add_merges(tokens, spec);
  for (const auto& [name, id] : parts.special_tokens)
    spec.added.push_back({.id = id, .content = name, .normalized = false, .special = true});
  std::string pattern;
  write_json_string(parts.pattern, pattern);
  spec.pre_tokenizer = parse_json(
      R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)" + pattern +
      R"(},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,)"
      R"("trim_offsets":true,"use_regex":false}]})");
  spec.decoder = parse_json(
      R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})");
  return std::make_unique<ByteLevelBpe>(std::move(spec));
}

std::unique_ptr<ByteLevelBpe> from_tiktoken(std::string_view ranks, std::string_view meta) {
  const Json root = parse_json(meta);
  TiktokenParts parts;
  parts.ranks = ranks;
  parts.pattern = root.get("pat_str", "tiktoken").as_string("pat_str");
  const Json& specials = root.get("special_tokens", "tiktoken");
  for (const auto& [name, id] : specials.as_object("special_tokens")) {
    const std::int64_t value = id.as_integer("special_tokens." + name);
    if (value < 0 || value > std::numeric_limits<std::int32_t>::max())
      fail(ErrorCode::kCorrupt, "special_tokens.{}: expected a token id, got {}", name, value);
    parts.special_tokens.emplace_back(name, static_cast<std::int32_t>(value));
  }
  return from_tiktoken(parts);
}

}  // namespace lathe::tokenize
