#include "lathe/app/store/file_choice.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>

#include "lathe/app/store/model_name.h"
#include "lathe/base/error.h"
#include "lathe/base/files.h"
#include "lathe/base/nearest.h"

namespace lathe::store {
namespace {

using Names = std::vector<std::string>;

constexpr std::array kPreferred = {"Q4_K_M", "Q5_K_M", "Q4_K_S", "Q6_K", "Q8_0",
                                   "Q4_0",   "BF16",   "F16",    "F32"};
constexpr std::array kBesideWeights = {"config.json",
                                       "generation_config.json",
                                       "tokenizer.json",
                                       "tokenizer_config.json",
                                       "tokenizer.model",
                                       "special_tokens_map.json",
                                       "added_tokens.json",
                                       "vocab.json",
                                       "vocab.txt",
                                       "merges.txt",
                                       "spiece.model",
                                       "chat_template.jinja",
                                       "chat_template.json",
                                       "LICENSE",
                                       "LICENSE.txt",
                                       "LICENSE.md",
                                       "NOTICE"};
constexpr std::array kPickles = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"};
constexpr std::array kCode = {".py", ".pyc", ".so", ".sh", ".exe", ".dll", ".ipynb"};
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr std::size_t kMostShown = 30;

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return out;
}

bool ends_with(std::string_view name, std::string_view ending) {
  return upper(name).ends_with(upper(ending));
}

bool has(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// `word` in upper case.
bool is_quantisation(std::string_view word) {
  for (const char* plain : {"F32", "F16", "BF16", "FP32", "FP16", "MXFP4", "MXFP4_MOE"})
    if (word == plain) return true;
  if (word.starts_with("IQ") || word.starts_with("TQ")) word.remove_prefix(1);
  return word.size() >= 2 && word[0] == 'Q' && word[1] >= '1' && word[1] <= '9' &&
         (word.size() == 2 || word[2] == '_');
}

template <std::size_t N>
bool ends_with_any(std::string_view name, const std::array<const char*, N>& endings) {
  const std::string high = upper(name);
  return std::any_of(endings.begin(), endings.end(),
                     [&](const char* ending) { return high.ends_with(upper(ending)); });
}

std::string shown(const Names& names) {
  if (names.size() <= kMostShown) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + kMostShown, ", "),
                     names.size() - kMostShown);
}

/// "a-00001-of-00003.gguf" -> "a": what the parts of a split file share. Others: the whole name.
std::string stem_of_split(const std::string& file) {
  const std::string stem = ends_with(file, ".gguf") ? file.substr(0, file.size() - 5) : file;
  constexpr std::size_t kTail = 15;  // "-00001-of-00003"
  if (stem.size() <= kTail) return stem;
  const std::string_view tail = std::string_view(stem).substr(stem.size() - kTail);
  for (std::size_t i = 0; i < kTail; ++i) {
    const char expected = "-00000-of-00000"[i];
    const bool digit = tail[i] >= '0' && tail[i] <= '9';
    if (expected == '0' ? !digit : tail[i] != expected) return stem;
  }
  return stem.substr(0, stem.size() - kTail);
}

/// Models in GGUF: stem -> its parts in order. Companions that are no language model are left out.
std::map<std::string, Names> ggufs_of(const Names& listing) {
  std::map<std::string, Names> found;
  for (const std::string& file : listing) {
    if (!ends_with(file, ".gguf")) continue;
    const std::string name = upper(file_name(file));
    if (name.starts_with("MMPROJ") || name.find("IMATRIX") != name.npos) continue;
    found[stem_of_split(file)].push_back(file);
  }
  for (auto& [stem, parts] : found) std::sort(parts.begin(), parts.end());
  return found;
}

FileChoice gguf_choice(Names parts) {
  const std::string quantisation = quantisation_in(parts.front());
  FileChoice choice;
  choice.kind = quantisation.empty() ? "GGUF" : "GGUF " + quantisation;
  choice.weights = parts.front();
  choice.files = std::move(parts);
  return choice;
}

Names firsts(const std::map<std::string, Names>& ggufs) {
  Names names;
  for (const auto& [stem, parts] : ggufs) names.push_back(parts.front());
  return names;
}

FileChoice choose_quantisation(const std::map<std::string, Names>& ggufs,
                               const std::string& wanted) {
  Names matches, known;
  for (const auto& [stem, parts] : ggufs) {
    const std::string quantisation = quantisation_in(parts.front());
    if (quantisation == upper(wanted)) matches.push_back(stem);
    if (!quantisation.empty() && !has(known, quantisation)) known.push_back(quantisation);
  }
  if (matches.size() == 1) return gguf_choice(ggufs.at(matches.front()));
  if (matches.size() > 1)
    fail(ErrorCode::kInvalidArgument, "'{}' is more than one file: {}; name one after the ':'",
         printable(wanted), shown(matches));
  if (ggufs.empty())
    fail(ErrorCode::kNotFound, "'{}': there is no such file, and no GGUF file at all",
         printable(wanted));
  fail(ErrorCode::kNotFound, "'{}': no file and no quantisation of this name{}; there are {}",
       printable(wanted), did_you_mean(wanted, known), shown(firsts(ggufs)));
}

FileChoice choose_gguf(const std::map<std::string, Names>& ggufs) {
  if (ggufs.size() == 1) return gguf_choice(ggufs.begin()->second);
  for (const char* quantisation : kPreferred) {
    Names matches;
    for (const auto& [stem, parts] : ggufs)
      if (quantisation_in(parts.front()) == quantisation) matches.push_back(stem);
    if (matches.size() == 1) return gguf_choice(ggufs.at(matches.front()));
  }
  fail(ErrorCode::kInvalidArgument, "several GGUF files: {}; choose one, for example ':{}'",
       shown(firsts(ggufs)), firsts(ggufs).front());
}

Names beside_weights(const Names& listing) {
  Names found;
  for (const char* name : kBesideWeights)
    if (has(listing, name)) found.emplace_back(name);
  return found;
}

FileChoice safetensors_choice(const Names& listing, const std::string& weights) {
  FileChoice choice{.files = beside_weights(listing), .kind = "safetensors"};
  if (ends_with(weights, ".index.json")) choice.index = weights;
  choice.files.push_back(weights);
  return choice;
}

/// The safetensors at the top of the repository that are the model, or "" where there are none.
std::string top_safetensors(const Names& listing) {
  if (has(listing, kIndex)) return kIndex;
  if (has(listing, "model.safetensors")) return "model.safetensors";
  Names found, indexes;
  for (const std::string& file : listing) {
    if (file.find('/') != file.npos) continue;
    if (ends_with(file, ".safetensors")) found.push_back(file);
    if (ends_with(file, ".safetensors.index.json")) indexes.push_back(file);
  }
  if (indexes.size() == 1) return indexes.front();
  if (found.size() > 1)
    fail(ErrorCode::kInvalidArgument,
         "several safetensors files and no index that tells how they belong together: {}; name one "
         "after a ':'",
         shown(found));
  return found.empty() ? "" : found.front();
}

[[noreturn]] void fail_without_weights(const Names& listing) {
  Names pickles;
  for (const std::string& file : listing)
    if (ends_with_any(file, kPickles)) pickles.push_back(file);
  if (!pickles.empty())
    fail(ErrorCode::kUnsupported,
         "the weights are there as pickles only ({}), which can run any code when opened; Lathe "
         "takes "
         "safetensors and GGUF. Look for a converted copy, or a revision with one (such as "
         "@refs/pr/1)",
         shown(pickles));
  fail(ErrorCode::kNotFound, "no safetensors and no GGUF file; there are: {}",
       listing.empty() ? "no files" : shown(listing));
}

}  // namespace

void check_file_kind(const std::string& file) {
  if (ends_with_any(file, kPickles))
    fail(ErrorCode::kUnsupported,
         "'{}' is a pickle, which can run any code when opened; Lathe takes safetensors and GGUF",
         printable(file));
  if (file == "lathe.json")
    fail(ErrorCode::kUnsupported, "'lathe.json' is the name of Lathe's own record of a model");
  if (ends_with_any(file, kCode))
    fail(ErrorCode::kUnsupported, "'{}' is code; Lathe takes no code from a model",
         printable(file));
}

std::string quantisation_in(std::string_view file) {
  // The last word that looks like Q4_K_M, IQ4_NL, TQ1_0, F16 or MXFP4.
  const std::string name = upper(stem_of_split(std::string(file)));
  std::string found;
  for (std::size_t begin = 0; begin < name.size(); ++begin) {
    if (begin > 0 && std::string_view(".-/_").find(name[begin - 1]) == std::string_view::npos)
      continue;
    const std::size_t end = std::min(name.find_first_of(".-/", begin), name.size());
    const std::string word = name.substr(begin, end - begin);
    if (is_quantisation(word)) found = word;
  }
  if (found.starts_with("FP")) found.erase(1, 1);
  return found;
}

FileChoice choose_files(const Names& listing, const std::string& selection) {
  const auto ggufs = ggufs_of(listing);
  if (selection.empty()) {
    if (const std::string weights = top_safetensors(listing); !weights.empty())
      return safetensors_choice(listing, weights);
    if (!ggufs.empty()) return choose_gguf(ggufs);
    fail_without_weights(listing);
  }
  if (!has(listing, selection)) {
    check_file_kind(selection);
    return choose_quantisation(ggufs, selection);
  }
  check_file_kind(selection);
  if (ends_with(selection, ".safetensors") || ends_with(selection, ".safetensors.index.json"))
    return safetensors_choice(listing, selection);
  if (!ends_with(selection, ".gguf"))
    fail(ErrorCode::kInvalidArgument,
         "'{}' is neither safetensors nor GGUF; take it beside others with --file",
         printable(selection));
  const auto found = ggufs.find(stem_of_split(selection));
  return gguf_choice(found == ggufs.end() ? Names{selection} : found->second);
}

FileChoice choose_named_files(const Names& listing, const Names& names) {
  FileChoice choice{.kind = "files"};
  for (const std::string& name : names) {
    check_file_path(name);
    check_file_kind(name);
    if (!has(listing, name))
      fail(ErrorCode::kNotFound, "'{}': no file of this name{}; there are: {}", printable(name),
           did_you_mean(name, listing), shown(listing));
    if (!has(choice.files, name)) choice.files.push_back(name);
    if (ends_with(name, ".safetensors")) choice.kind = "safetensors";
    if (ends_with(name, ".gguf") && choice.weights.empty()) {
      const std::string quantisation = quantisation_in(name);
      choice.kind = quantisation.empty() ? "GGUF" : "GGUF " + quantisation;
      choice.weights = name;
    }
  }
  return choice;
}

}  // namespace lathe::store
