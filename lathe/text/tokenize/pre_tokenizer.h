// How a text is cut into the pieces that a model sees: "pre_tokenizer" of a tokenizer.json, in
// full.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lathe/text/tokenize/json_tree.h"
#include "lathe/text/tokenize/splitter.h"

namespace lathe::tokenize {

/// A text and its pieces. Stages may rewrite the text.
struct Pieces {
  std::string text;         // valid UTF-8
  std::vector<Span> spans;  // in order, none empty
  std::size_t head = 0;     // as NormalText's
};

/// Immutable; any thread may use it.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Pieces& pieces) const = 0;
};

/// Null for null. Throws kUnsupported with the path for what is not known, kCorrupt,
/// kInvalidArgument for a bad regular expression.
std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Json& part, const std::string& path);

/// The splitter of a part that only cuts; null for one that rewrites (ByteLevel, Metaspace), for a
/// Sequence and for what is not known.
std::unique_ptr<Splitter> read_splitter(const Json& part, const std::string& path);

}  // namespace lathe::tokenize
