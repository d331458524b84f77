#include "lathe/text/tokenize/bpe.h"

namespace lathe::tokenize {

Bpe::Bpe(std::span<const std::string> tokens, std::span<const Merge> merges,
         const BpeOptions& options)
    : options_(options), merges_(merges) {
  words_.resize(tokens.size());
  std::vector<std::int32_t> ids;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) continue;
    ids.clear();
    if (!options.whole_words_first) merge(tokens[id], ids);
    const bool reaches_itself = ids.size() == 1 && ids[0] == static_cast<std::int32_t>(id);
    if (reaches_itself || options.whole_words_first)
      words_.insert(tokens[id], static_cast<std::int32_t>(id));
  }
}

void Bpe::encode_rare(std::string_view word, std::uint64_t hash,
                      std::vector<std::int32_t>& ids) const {
  if (recent_.find(word, hash, ids)) return;
  const std::size_t begin = ids.size();
  merge(word, ids);
  recent_.keep(word, hash, ids, begin);
}

void Bpe::merge(std::string_view word, std::vector<std::int32_t>& ids) const {
  const std::size_t begin = ids.size();
  first_ids(word, ids);
  merges_.merge(ids, begin);
}

void Bpe::first_ids(std::string_view word, std::vector<std::int32_t>& ids) const {
  bool after_unknown = false;
  for (const char c : word) {
    const std::int32_t id = options_.byte_ids[static_cast<unsigned char>(c)];
    if (id >= 0) {
      ids.push_back(id);
    } else if (options_.unknown >= 0 && !(after_unknown && options_.fuse_unknown)) {
      ids.push_back(options_.unknown);
    }
    after_unknown = id < 0;
  }
}

}  // namespace lathe::tokenize
