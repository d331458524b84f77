#include "lathe/text/tokenize/bpe_train.h"

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "lathe/base/error.h"
#include "lathe/text/tokenize/byte_alphabet.h"
#include "lathe/text/tokenize/pair_merger.h"
#include "lathe/text/tokenize/word_counts.h"

namespace lathe::tokenize {
namespace {

constexpr std::int64_t kProgressBytes = 4 << 20;
constexpr std::int64_t kProgressMerges = 64;

/// Token texts and ids under construction.
class Vocab {
 public:
  std::int32_t add(const std::string& text) {
    const auto [at, fresh] = ids_.emplace(text, static_cast<std::int32_t>(texts_.size()));
    if (fresh) texts_.push_back(text);
    return at->second;
  }
  std::int64_t size() const { return static_cast<std::int64_t>(texts_.size()); }
  const std::string& text(std::int32_t id) const { return texts_[static_cast<std::size_t>(id)]; }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_;
  std::unordered_map<std::string, std::int32_t> ids_;
};

void validate(const BpeTrainOptions& options) {
  std::unordered_set<std::string_view> seen;
  for (const std::string& token : options.special_tokens)
    if (token.empty() || !seen.insert(token).second)
      fail(ErrorCode::kInvalidArgument, "special tokens: expected texts that differ, got {} '{}'",
           token.empty() ? "an empty" : "twice", token);
  const auto least = static_cast<std::int64_t>(options.special_tokens.size()) + 256;
  constexpr std::int64_t kMost = std::int64_t{1} << 24;
  if (options.vocab_size < least || options.vocab_size > kMost)
    fail(ErrorCode::kInvalidArgument,
         "vocabulary size: expected {} (256 bytes and {} special tokens) to {}, got {}", least,
         options.special_tokens.size(), kMost, options.vocab_size);
  if (options.min_frequency < 0)
    fail(ErrorCode::kInvalidArgument, "min_frequency: expected 0 or more, got {}",
         options.min_frequency);
}

std::array<std::int32_t, 256> add_bytes(Vocab& vocab) {
  std::array<int, 256> order;
  for (int b = 0; b < 256; ++b) order[static_cast<std::size_t>(b)] = b;
  const auto character = [](int b) { return alphabet_char(static_cast<std::uint8_t>(b)); };
  std::sort(order.begin(), order.end(), [&](int a, int b) { return character(a) < character(b); });
  std::array<std::int32_t, 256> ids;
  for (const int b : order) {
    const char byte = static_cast<char>(b);
    ids[static_cast<std::size_t>(b)] = vocab.add(to_alphabet({&byte, 1}));
  }
  return ids;
}

std::string pattern_of(const BpeTrainOptions& options) {
  const char* known = well_known_pattern(options.pattern);
  return known != nullptr ? known : options.pattern;
}

WordCounts count_words(const BpeTrainOptions& options, const TextSource& source,
                       TrainProgress& progress) {
  const std::unique_ptr<Splitter> splitter = make_pattern_splitter(pattern_of(options));
  ParallelWordCounter counter(*splitter);
  source([&](std::string_view text) {
    counter.add(text);
    if (!options.progress || counter.bytes() - progress.bytes < kProgressBytes) return;
    progress.bytes = counter.bytes();
    options.progress(progress);
  });
  WordCounts counts = counter.finish();
  progress.bytes = counter.bytes();
  return counts;
}

struct TextMerge {
  std::int32_t left, right;
};

std::vector<TextMerge> find_merges(const BpeTrainOptions& options, const WordCounts& counts,
                                   Vocab& vocab, TrainProgress& progress) {
  const std::array<std::int32_t, 256> byte_ids = add_bytes(vocab);
  PairMerger merger(counts.sorted(), byte_ids);
  std::vector<TextMerge> merges;
  while (vocab.size() < options.vocab_size) {
    const std::optional<PairMerger::Best> best = merger.next();
    if (!best || best->count < options.min_frequency) break;
    merges.push_back({best->left, best->right});
    merger.merge(vocab.add(vocab.text(best->left) + vocab.text(best->right)));
    if (options.progress && std::ssize(merges) % kProgressMerges == 0) {
      progress.vocab = vocab.size();
      options.progress(progress);
    }
  }
  return merges;
}

/// The pre_tokenizer as tokenizers writes it.
std::string pre_tokenizer_json(const BpeTrainOptions& options) {
  const auto byte_level = [](bool use_regex) {
    return std::string(R"({"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,)") +
           R"("use_regex":)" + (use_regex ? "true}" : "false}");
  };
  const std::string pattern = pattern_of(options);
  if (pattern == well_known_pattern("gpt2")) return byte_level(true);
  std::string json = R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)";
  write_json_string(pattern, json);
  return json + R"(},"behavior":"Isolated","invert":false},)" + byte_level(false) + "]}";
}

}  // namespace

std::unique_ptr<ByteLevelBpe> train_bpe(const BpeTrainOptions& options, const TextSource& source) {
  validate(options);
  TrainProgress progress;
  progress.goal = options.vocab_size;
  const WordCounts counts = count_words(options, source, progress);
  progress.merging = true;
  progress.words = static_cast<std::int64_t>(counts.size());
  if (options.progress) options.progress(progress);

  ByteLevelBpeSpec spec;
  Vocab vocab;
  for (const std::string& token : options.special_tokens)
    spec.added.push_back(
        {.id = vocab.add(token), .content = token, .normalized = false, .special = true});
  const std::vector<TextMerge> merges = find_merges(options, counts, vocab, progress);

  for (std::size_t id = 0; id < vocab.texts().size(); ++id)
    spec.vocab.emplace_back(vocab.texts()[id], static_cast<std::int32_t>(id));
  // A pair may have been merged twice (pair_merger.h); its later rank is the one that counts.
  std::unordered_set<std::uint64_t> seen;
  for (std::size_t i = merges.size(); i-- > 0;) {
    const std::uint64_t key = std::uint64_t{static_cast<std::uint32_t>(merges[i].left)} << 32 |
                              static_cast<std::uint32_t>(merges[i].right);
    if (seen.insert(key).second)
      spec.merges.emplace_back(vocab.text(merges[i].left), vocab.text(merges[i].right));
  }
  std::reverse(spec.merges.begin(), spec.merges.end());
  spec.pre_tokenizer = parse_json(pre_tokenizer_json(options));
  spec.decoder = parse_json(
      R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})");
  return std::make_unique<ByteLevelBpe>(std::move(spec));
}

}  // namespace lathe::tokenize
